package org.dpo4j.examples;

import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.stream.Stream;
import org.dpo4j.Cancellation;
import org.dpo4j.Message;
import org.dpo4j.TrainingResult;
import org.dpo4j.api.LanguageModel;
import org.dpo4j.api.Losses;
import org.dpo4j.api.PreferencePair;
import org.dpo4j.api.PreferenceTuning;
import org.dpo4j.api.Sampling;

/**
 * The library in five parts: train with progress, evaluate, score, generate, cancel.
 *
 * <p>Arguments: the model folder, the pairs, the output folder, and how many steps to train.
 */
public final class Examples {

  private Examples() {}

  /** Runs all parts one after the other. */
  public static void main(String[] args) {
    Path model = Path.of(args[0]);
    Path pairs = Path.of(args[1]);
    Path tuned = Path.of(args[2]);
    TrainingResult result = train(model, pairs, tuned, Integer.parseInt(args[3]));
    evaluate(result);
    score(model, tuned, pairs);
    generate(tuned);
    cancel(model, tuned.resolveSibling("cancelled"));
  }

  /** Trains, and prints a line for each step. */
  static TrainingResult train(Path model, Path pairs, Path out, int steps) {
    return PreferenceTuning.of(model, pairs)
        .loss(Losses.sigmoid(0.1))
        .learningRate(1e-4)
        .maxSteps(steps)
        .perDeviceTrainBatchSize(4)
        .evalSplit(8)
        .loggingSteps(1)
        .listener(step -> print("step %d of %d", step.step(), step.maxSteps()))
        .train(out);
  }

  /** Compares the held-out pairs before and after training. */
  static void evaluate(TrainingResult result) {
    double before = result.initialEvaluation().orElseThrow().metrics().loss();
    double after = result.finalEvaluation().orElseThrow().metrics().loss();
    print("held-out loss: %.4f before, %.4f after", before, after);
  }

  /** Computes the implicit reward margins of pairs, with the start model as the reference. */
  static void score(Path start, Path tuned, Path file) {
    try (LanguageModel policy = LanguageModel.open(tuned);
        LanguageModel reference = LanguageModel.open(start);
        Stream<PreferencePair> pairs = PreferencePair.read(file)) {
      policy
          .rewards(pairs.limit(3), reference, 0.1)
          .forEach(rewards -> print("reward margin %+.4f", rewards.margin()));
    }
  }

  /** Prints an answer as it is generated. */
  static void generate(Path tuned) {
    try (LanguageModel model = LanguageModel.open(tuned)) {
      List<Message> question = List.of(Message.user("How do I boil an egg?"));
      model.generate(question, Sampling.greedy(20), System.out::print);
      System.out.println();
    }
  }

  /** Trains on pairs from memory, and ends the run from a listener; another thread can as well. */
  static void cancel(Path model, Path out) {
    List<PreferencePair> pairs = List.of(PreferencePair.of("The sky is", " blue.", " green."));
    Cancellation cancellation = new Cancellation();
    TrainingResult result =
        PreferenceTuning.of(model, pairs)
            .cancellation(cancellation)
            .loggingSteps(1)
            .listener(step -> cancellation.cancel())
            .train(out);
    print("ended after step %d: %s", result.steps(), result.endReason());
  }

  private static void print(String format, Object... values) {
    System.out.println(String.format(Locale.ROOT, format, values));
  }
}
