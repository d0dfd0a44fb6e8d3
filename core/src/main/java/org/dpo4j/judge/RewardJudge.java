package org.dpo4j.judge;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.OptionalLong;
import java.util.function.Consumer;
import org.bytedeco.pytorch.Tensor;
import org.dpo4j.DpoException;
import org.dpo4j.Message;
import org.dpo4j.batch.FlatSequences;
import org.dpo4j.data.SampledPrompt;
import org.dpo4j.logprob.SequenceLogProbs;
import org.dpo4j.model.CausalLm;
import org.dpo4j.model.DecoderPass;
import org.dpo4j.model.Matrix;
import org.dpo4j.model.Node;
import org.dpo4j.tokenizer.ChatRenderer;
import org.dpo4j.tokenizer.ModelTokenizer;
import org.dpo4j.torch.Engine;
import org.dpo4j.torch.NoGrad;
import org.dpo4j.torch.TensorScope;
import org.dpo4j.torch.Tensors;
import org.dpo4j.weights.RewardModel;

/** Scores a conversation, or a text, that ends with the completion by a reward model. */
final class RewardJudge implements Judge {
  private final RewardModel model;
  private final ModelTokenizer tokenizer;
  private final int threads;

  RewardJudge(Path folder, int threads, Consumer<String> warnings) {
    this.threads = threads;
    tokenizer = ModelTokenizer.load(folder);
    try {
      tokenizer.differences().forEach(warnings);
      model = RewardModel.open("reward_model", folder);
    } catch (RuntimeException e) {
      tokenizer.close();
      throw e;
    }
  }

  @Override
  public double[] scores(SampledPrompt prompt) {
    try (Engine.Threads own = Engine.use(threads)) {
      List<int[]> sequences = new ArrayList<>();
      for (SampledPrompt.Completion completion : prompt.completions()) {
        sequences.add(encode(prompt, completion.text()));
      }
      return rewards(model, sequences);
    } catch (DpoException e) {
      throw new DpoException(prompt.origin() + " " + e.text(), e);
    }
  }

  /**
   * The rewards of sequences, in one pass.
   *
   * @throws DpoException if a sequence is empty or too long, or has an id outside the vocabulary
   */
  static double[] rewards(RewardModel model, List<int[]> sequences) {
    CausalLm body = model.body();
    FlatSequences.Builder batch = new FlatSequences.Builder();
    for (int[] sequence : sequences) {
      check(body, sequence);
      // The states that would predict a next token are those of the last one.
      batch.add(Arrays.copyOf(sequence, lengthWithoutPadding(model, sequence)), new int[1]);
    }
    try (TensorScope scope = TensorScope.open();
        NoGrad noGrad = NoGrad.open();
        DecoderPass pass =
            DecoderPass.forward(
                body, batch.build(), DecoderPass.Keep.NOTHING, OptionalLong.empty(), null)) {
      Tensor last = body.finalNorm(Node.of(pass.states())).value();
      return Tensors.toDoubles(new Matrix(model.score()).times(last, true));
    }
  }

  private static void check(CausalLm body, int[] sequence) {
    if (sequence.length == 0 || sequence.length > body.maxPositions()) {
      throw new DpoException(
          "a sequence must have 1 to %d tokens for the reward model but has %d"
              .formatted(body.maxPositions(), sequence.length));
    }
    for (int id : sequence) {
      SequenceLogProbs.checkId(body, id);
    }
  }

  /** Of padding alone, the first token counts. */
  private static int lengthWithoutPadding(RewardModel model, int[] sequence) {
    int length = sequence.length;
    while (length > 1 && sequence[length - 1] == model.padding()) {
      length--;
    }
    return length;
  }

  private int[] encode(SampledPrompt prompt, String completion) {
    String text = prompt.prompt().text();
    if (text != null) {
      return tokenizer.text().encode(text + completion, true);
    }
    ChatRenderer template = tokenizer.template();
    if (template == null) {
      throw new DpoException(
          "a conversation needs a chat template but the folder of the reward model has none; add chat_template.jinja, or sample with plain prompts");
    }
    List<Message> turns = new ArrayList<>(prompt.prompt().messages());
    turns.add(Message.assistant(completion));
    return tokenizer.text().encode(template.render(turns, false, Map.of()), false);
  }

  @Override
  public void close() {
    model.close();
    tokenizer.close();
  }
}
