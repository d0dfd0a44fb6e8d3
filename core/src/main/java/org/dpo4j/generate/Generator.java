package org.dpo4j.generate;

import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.SplittableRandom;
import java.util.function.IntConsumer;
import java.util.stream.IntStream;
import org.bytedeco.pytorch.Tensor;
import org.dpo4j.DpoException;
import org.dpo4j.Interruption;
import org.dpo4j.logprob.SequenceLogProbs;
import org.dpo4j.model.CachedAttention;
import org.dpo4j.model.CausalLm;
import org.dpo4j.torch.NoGrad;
import org.dpo4j.torch.TensorScope;
import org.dpo4j.torch.Tensors;

/** Generates completions of prompts. */
public final class Generator {

  private final CausalLm model;
  private final Set<Integer> endTokens;
  private final TokenSampler sampling;
  private final long seed;

  /**
   * Prepares for any number of prompts.
   *
   * @param endTokens ids that end a completion; not part of it
   * @param seed seed of the sampling, if the temperature is not 0
   */
  public Generator(CausalLm model, Set<Integer> endTokens, TokenSampler sampling, long seed) {
    this.model = model;
    this.endTokens = Set.copyOf(endTokens);
    this.sampling = sampling;
    this.seed = seed;
  }

  /**
   * The completion of a prompt, as token ids without the end token.
   *
   * @param prompt at least one id
   * @param maxNewTokens maximum length of the completion; the model's context may end it earlier
   * @throws DpoException if the prompt is empty, fills the context or has an id outside the
   *     vocabulary
   */
  public int[] generate(int[] prompt, int maxNewTokens) {
    return generate(prompt, maxNewTokens, id -> {});
  }

  /**
   * {@link #generate(int[], int)}, which passes on each token as soon as it is sampled.
   *
   * @param onToken called on the calling thread, without tensors or locks held; an exception from
   *     it ends the generation
   * @throws DpoException also if the thread is interrupted
   */
  public int[] generate(int[] prompt, int maxNewTokens, IntConsumer onToken) {
    check(prompt);
    List<Integer> completion = new ArrayList<>();
    SplittableRandom random =
        new SplittableRandom(seed); // an answer does not depend on earlier prompts
    int limit = Math.min(maxNewTokens, model.maxPositions() - prompt.length);
    try (CachedAttention attention = new CachedAttention()) {
      int[] fed = prompt;
      int position = 0;
      while (completion.size() < limit) {
        Interruption.check("after %d generated tokens".formatted(completion.size()));
        int next = sampling.pick(lastLogits(fed, position, attention), random);
        if (endTokens.contains(next)) {
          break;
        }
        completion.add(next);
        onToken.accept(next);
        position += fed.length;
        fed = new int[] {next};
      }
    }
    return completion.stream().mapToInt(Integer::intValue).toArray();
  }

  /** Logits of the token after {@code fed}, shape (vocab). */
  private float[] lastLogits(int[] fed, int position, CachedAttention attention) {
    try (TensorScope scope = TensorScope.open();
        NoGrad noGrad = NoGrad.open()) {
      Tensor hidden =
          model.hiddenStates(
              Tensors.longs(fed),
              Tensors.longs(IntStream.range(position, position + fed.length).toArray()),
              attention);
      return Tensors.toFloats(model.logits(Tensors.rows(hidden, 0, fed.length - 1, fed.length)));
    }
  }

  /**
   * Checks a prompt.
   *
   * @throws DpoException as {@link #generate} does
   */
  public void check(int[] prompt) {
    if (prompt.length == 0 || prompt.length >= model.maxPositions()) {
      throw new DpoException(
          "a prompt must have from 1 to "
              + (model.maxPositions() - 1)
              + " tokens, one less than the model's context, but has "
              + prompt.length
              + (prompt.length == 0 ? "; write something" : "; shorten it"));
    }
    for (int id : prompt) {
      SequenceLogProbs.checkId(model, id);
    }
  }
}
