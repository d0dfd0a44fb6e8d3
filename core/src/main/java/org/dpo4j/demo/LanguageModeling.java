package org.dpo4j.demo;

import java.util.ArrayList;
import java.util.List;
import java.util.function.Function;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.dpo4j.batch.FlatSequences;
import org.dpo4j.logprob.SequenceLogProbs;
import org.dpo4j.model.CausalLm;
import org.dpo4j.model.FlatAttention;
import org.dpo4j.optim.AdamW;
import org.dpo4j.optim.FlatParameters;
import org.dpo4j.torch.NoGrad;
import org.dpo4j.torch.Pools;
import org.dpo4j.torch.TensorScope;
import org.dpo4j.torch.Tensors;

/** Next-token training and distillation, one sequence per step: what precedes DPO. */
final class LanguageModeling {

  private LanguageModeling() {}

  /**
   * Trains on the next token at every position, with Adam.
   *
   * @param sequences token ids, at least two each
   * @return the mean loss of each epoch, in nats per token, before the updates
   */
  static List<Double> warmUp(
      CausalLm model, List<int[]> sequences, double learningRate, int epochs) {
    return train(
        model,
        sequences,
        learningRate,
        epochs,
        ids ->
            SequenceLogProbs.logProbs(model, FlatSequences.of(new int[0], ids))
                .sum()
                .div(Tensors.scalar(1 - ids.length)));
  }

  /**
   * Teaches a student a teacher's next-token distributions, with Adam: the loss is the
   * cross-entropy of both at every position. Hinton et al. 2015, arXiv 1503.02531, at temperature
   * 1.
   *
   * @return the mean loss of each epoch, in nats per token, before the updates
   */
  static List<Double> distill(
      CausalLm teacher, CausalLm student, List<int[]> sequences, double learningRate, int epochs) {
    return train(
        student,
        sequences,
        learningRate,
        epochs,
        ids -> {
          Tensor target = torch.softmax(withoutGradient(teacher, ids), -1);
          Tensor guess = torch.log_softmax(logits(student, ids), -1);
          return target.mul(guess).sum(new long[] {-1}).mean().neg();
        });
  }

  private static List<Double> train(
      CausalLm model,
      List<int[]> sequences,
      double learningRate,
      int epochs,
      Function<int[], Tensor> lossOf) {
    List<Double> losses = new ArrayList<>();
    try (FlatParameters parameters = FlatParameters.of(model.parameters());
        AdamW optimizer = new AdamW(parameters, AdamW.Settings.ADAM)) {
      for (int epoch = 0; epoch < epochs; epoch++) {
        double sum = 0;
        for (int[] ids : sequences) {
          try (TensorScope scope = TensorScope.open()) {
            Tensor loss;
            try (Pools.Hold spread = Pools.spread()) {
              loss = lossOf.apply(ids);
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

  private static Tensor withoutGradient(CausalLm model, int[] ids) {
    try (NoGrad noGrad = NoGrad.open()) {
      return logits(model, ids);
    }
  }

  /** Logits at every position, shape (tokens, vocab). */
  static Tensor logits(CausalLm model, int[] ids) {
    FlatSequences sequences = FlatSequences.of(ids);
    Tensor like = model.parameters().all().get(0).tensor();
    return model.logits(
        model.hiddenStates(
            Tensors.longs(sequences.ids()),
            Tensors.longs(sequences.positions()),
            new FlatAttention(sequences, like, model.windows())));
  }
}
