package org.dpo4j.examples;

import java.nio.file.Path;
import java.util.Locale;
import java.util.Map;
import org.bytedeco.pytorch.Tensor;
import org.dpo4j.config.TrainingConfig;
import org.dpo4j.encode.EncodedPair;
import org.dpo4j.encode.EncodingLimits;
import org.dpo4j.encode.OnBadRow;
import org.dpo4j.encode.PairDataset;
import org.dpo4j.encode.PairEncoder;
import org.dpo4j.logprob.SequenceLogProbs;
import org.dpo4j.loss.DpoLoss;
import org.dpo4j.loss.LossTerms;
import org.dpo4j.model.CausalLm;
import org.dpo4j.report.Progress;
import org.dpo4j.report.RunOutput;
import org.dpo4j.run.TrainingRun;
import org.dpo4j.tokenizer.ModelTokenizer;
import org.dpo4j.torch.NoGrad;
import org.dpo4j.torch.TensorScope;
import org.dpo4j.weights.LoadedModel;
import org.dpo4j.weights.ModelReader;

/**
 * Tunes a model on preference pairs, then compares it with the model that it came from on one pair:
 * log-probabilities, the DPO loss and the implicit reward margin.
 *
 * <p>Arguments: the model folder, the pairs, the output folder, and how many steps to train.
 */
public final class TrainAndScore {

  private TrainAndScore() {}

  /** Runs the example; see the class. */
  public static void main(String[] args) {
    Path model = Path.of(args[0]);
    Path tuned = Path.of(args[2]);

    // Options have the names of the command line.
    TrainingConfig config =
        TrainingConfig.of(
            Map.of(
                "model",
                model,
                "data_file",
                args[1],
                "output_dir",
                tuned,
                "learning_rate",
                1e-4,
                "per_device_train_batch_size",
                4,
                "max_steps",
                args[3],
                "logging_steps",
                1));
    TrainingRun.run(config, new RunOutput(System.out, System.err, Progress.NONE));

    compare(model, tuned, Path.of(args[1]));
  }

  /** Loss and reward margin of the first pair, encoded as in training. */
  private static void compare(Path referenceFolder, Path policyFolder, Path pairs) {
    try (LoadedModel policy = ModelReader.open(policyFolder);
        LoadedModel reference = ModelReader.open(referenceFolder);
        ModelTokenizer tokenizer = ModelTokenizer.load(referenceFolder);
        TensorScope scope = TensorScope.open(); // frees every tensor made below
        NoGrad noGrad = NoGrad.open()) {
      CausalLm model = policy.model();
      PairEncoder encoder =
          PairEncoder.of(tokenizer, new EncodingLimits(0, model.maxPositions(), model.vocabSize()));
      EncodedPair pair = first(pairs, encoder);

      LossTerms terms =
          DpoLoss.dpoLoss(
              logProb(policy, pair.promptIds(), pair.chosenIds()),
              logProb(policy, pair.promptIds(), pair.rejectedIds()),
              logProb(reference, pair.promptIds(), pair.chosenIds()),
              logProb(reference, pair.promptIds(), pair.rejectedIds()),
              0.1);
      System.out.printf(
          Locale.ROOT,
          "loss %.4f, reward margin %+.4f%n",
          terms.loss().item_double(),
          terms.rewardMargins().item_double());
    }
  }

  /** The pairs lie on disk until the data set is closed. */
  private static EncodedPair first(Path pairs, PairEncoder encoder) {
    try (PairDataset data = PairDataset.load(pairs, encoder, OnBadRow.STOP)) {
      return data.pairs().get(0);
    }
  }

  /** log p(completion given prompt), shape (1). */
  private static Tensor logProb(LoadedModel model, int[] prompt, int[] completion) {
    return SequenceLogProbs.sequenceLogProb(model.model(), prompt, completion).view(1);
  }
}
