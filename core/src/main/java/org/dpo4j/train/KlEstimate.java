package org.dpo4j.train;

import java.util.List;
import org.dpo4j.batch.ExampleBatch;
import org.dpo4j.batch.FlatSequences;
import org.dpo4j.batch.TokenBudget;
import org.dpo4j.data.CompletionRole;
import org.dpo4j.logprob.LengthDesensitizing;
import org.dpo4j.logprob.LogProbEngine;
import org.dpo4j.logprob.LogProbPass;
import org.dpo4j.loss.Objective;
import org.dpo4j.loss.UnpairedLoss;
import org.dpo4j.model.CausalLm;
import org.dpo4j.reference.Reference;
import org.dpo4j.reference.ScoredExample;
import org.dpo4j.torch.TensorScope;
import org.dpo4j.torch.Tensors;
import org.jspecify.annotations.Nullable;

/**
 * KTO's estimate of the KL divergence of policy and reference: the mean of log pi(y' given x) - log
 * ref(y' given x) over the mismatched completions y' of a micro-batch, at least 0. Without
 * gradients and without dropout, and in pieces of the size of those of training, so that it needs
 * no more memory than they do. Ethayarajh et al. 2024, arXiv 2402.01306, section 4.2.
 */
final class KlEstimate {

  private KlEstimate() {}

  /** The estimate in nats; 0 for a loss that does not use it. */
  static double of(
      LogProbEngine engine,
      CausalLm policy,
      Objective objective,
      @Nullable Reference reference,
      List<ScoredExample> examples) {
    if (!(objective.loss() instanceof UnpairedLoss loss) || !loss.usesKl() || reference == null) {
      return 0;
    }
    List<ScoredExample> mismatched =
        examples.stream().map(each -> each.only(CompletionRole.MISMATCHED::equals)).toList();
    double sum = 0;
    for (List<ScoredExample> piece :
        TokenBudget.TRAINING.pieces(mismatched, ScoredExample::example)) {
      FlatSequences sequences =
          ExampleBatch.of(piece.stream().map(ScoredExample::example).toList()).sequences();
      double[] ofReference = reference.logProbs(piece, sequences);
      double[] ofPolicy = logProbs(engine, policy, sequences);
      for (int i = 0; i < ofPolicy.length; i++) {
        sum += ofPolicy[i] - ofReference[i];
      }
    }
    double mean = sum / mismatched.size();
    return mean > 0 || Double.isNaN(mean) ? mean : 0;
  }

  private static double[] logProbs(LogProbEngine engine, CausalLm policy, FlatSequences sequences) {
    try (TensorScope scope = TensorScope.open();
        LogProbPass pass =
            engine.forward(
                policy, sequences, LengthDesensitizing.NONE, LogProbEngine.Purpose.SUMS)) {
      return Tensors.toDoubles(pass.sums());
    }
  }
}
