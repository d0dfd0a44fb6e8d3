package org.dpo4j.demo;

import java.util.ArrayList;
import java.util.List;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.dpo4j.StepReport;
import org.dpo4j.TrainingControl;
import org.dpo4j.TrainingListener;
import org.dpo4j.batch.FlatSequences;
import org.dpo4j.data.CompletionRole;
import org.dpo4j.data.RowNumbers;
import org.dpo4j.data.RowOrigin;
import org.dpo4j.encode.EncodedCompletion;
import org.dpo4j.encode.EncodedExample;
import org.dpo4j.loss.Objective;
import org.dpo4j.loss.TokenLoss;
import org.dpo4j.model.CausalLm;
import org.dpo4j.model.FlatAttention;
import org.dpo4j.optim.AdamW;
import org.dpo4j.optim.FlatParameters;
import org.dpo4j.torch.NoGrad;
import org.dpo4j.torch.Pools;
import org.dpo4j.torch.TensorScope;
import org.dpo4j.torch.Tensors;
import org.dpo4j.train.Trainer;
import org.dpo4j.train.TrainingData;
import org.dpo4j.train.TrainingSession;

/** Next-token training and distillation, one sequence a step: what precedes DPO. */
final class LanguageModeling {

  private LanguageModeling() {}

  /**
   * Trains on the next token at every position, with Adam: {@code dpo4j sft} on demonstrations
   * without a prompt.
   *
   * @param sequences token ids, at least two each
   * @return the mean loss of each epoch, in nats per token, before the updates
   */
  static List<Double> warmUp(
      CausalLm model, List<int[]> sequences, double learningRate, int epochs) {
    List<Double> losses = new ArrayList<>();
    List<EncodedExample> examples = sequences.stream().map(LanguageModeling::example).toList();
    try (TrainingSession session =
        new TrainingSession(
            model,
            new TrainingData(examples, null),
            Objective.of(new TokenLoss()),
            Dpo.settings(Dpo.plan(examples.size(), 1), epochs, learningRate, false))) {
      new Trainer(
              session,
              new TrainingListener() {
                @Override
                public void onReport(StepReport epoch, TrainingControl control) {
                  losses.add(epoch.metrics().loss());
                }
              })
          .train();
    }
    return losses;
  }

  /** A demonstration that counts as much as any other in a mean over tokens. */
  private static EncodedExample example(int[] ids) {
    return new EncodedExample(
        new RowOrigin("built-in triples", 0, 1),
        new int[0],
        List.of(new EncodedCompletion(CompletionRole.CHOSEN, ids)),
        RowNumbers.ofWeight(1.0 / (ids.length - 1)));
  }

  /**
   * Teaches a student a teacher's next-token distributions, with Adam, one sequence a step: the
   * loss is the cross-entropy of both at every position. Hinton et al. 2015, arXiv 1503.02531, at
   * temperature 1.
   *
   * @return the mean loss of each epoch, in nats per token, before the updates
   */
  static List<Double> distill(
      CausalLm teacher, CausalLm student, List<int[]> sequences, double learningRate, int epochs) {
    List<Double> losses = new ArrayList<>();
    try (FlatParameters parameters = FlatParameters.of(student.parameters());
        AdamW optimizer = new AdamW(parameters, AdamW.Settings.ADAM)) {
      for (int epoch = 0; epoch < epochs; epoch++) {
        double sum = 0;
        for (int[] ids : sequences) {
          try (TensorScope scope = TensorScope.open()) {
            Tensor loss;
            try (Pools.Hold spread = Pools.spread()) {
              loss = crossEntropy(teacher, student, ids);
              loss.backward();
            }
            optimizer.step(learningRate);
            sum += loss.item_double();
          }
        }
        losses.add(sum / sequences.size());
      }
    }
    return losses;
  }

  private static Tensor crossEntropy(CausalLm teacher, CausalLm student, int[] ids) {
    Tensor target = torch.softmax(withoutGradient(teacher, ids), -1);
    Tensor guess = torch.log_softmax(logits(student, ids), -1);
    return target.mul(guess).sum(new long[] {-1}).mean().neg();
  }

  private static Tensor withoutGradient(CausalLm model, int[] ids) {
    try (NoGrad noGrad = NoGrad.open()) {
      return logits(model, ids);
    }
  }

  /** Logits at every position, shape (tokens, vocab). */
  static Tensor logits(CausalLm model, int[] ids) {
    FlatSequences sequences = FlatSequences.of(ids);
    Tensor like = model.parameters().like();
    return model.logits(
        model.hiddenStates(
            Tensors.longs(sequences.ids()),
            Tensors.longs(sequences.positions()),
            new FlatAttention(sequences, like, model.windows())));
  }
}
