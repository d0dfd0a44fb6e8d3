package org.dpo4j.run;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import org.dpo4j.DpoException;
import org.dpo4j.ExampleKind;
import org.dpo4j.OptionText;
import org.dpo4j.config.OptimType;
import org.dpo4j.config.TrainingConfig;
import org.dpo4j.data.CompletionRole;
import org.dpo4j.data.RowNumbers;
import org.dpo4j.data.RowOrigin;
import org.dpo4j.encode.EncodedCompletion;
import org.dpo4j.encode.EncodedExample;
import org.dpo4j.model.ModelShape;
import org.dpo4j.options.MemorySize;
import org.dpo4j.plan.MemoryModel;
import org.dpo4j.plan.TokenLoad;
import org.dpo4j.report.ShortNumber;
import org.dpo4j.survey.DataSurvey;
import org.dpo4j.survey.LengthBias;
import org.dpo4j.survey.LengthCounts;
import org.dpo4j.weights.ModelBlueprint;

/**
 * Options to start with, each with the numbers of the data and the model that speak for it. What
 * has no such number is not said.
 */
final class TrainingAdvice {
  private static final double[] WANTED_WHOLE = {0.95, 0.99}; // of the examples, uncut
  private static final int LENGTH_STEP = 64;
  private static final int FEW_STEPS = 200;

  /** sigma(4) = 0.98: from this margin times beta on, a pair has almost no gradient. */
  private static final double SATURATED = 4;

  /** Nats per token that a policy may move before its text suffers, as a rule of thumb. */
  private static final double MOVED = 0.5;

  private static final double LEAST_RAISED = 0.2;
  private static final double MOST_BETA = 1;

  /** Contradictions from which their share says something. */
  private static final int SOME = 5;

  private final DataSurvey survey;
  private final ExampleKind kind;
  private final Optional<ModelShape> shape;
  private final List<String> lines = new ArrayList<>();

  private TrainingAdvice(DataSurvey survey, ExampleKind kind, Optional<ModelShape> shape) {
    this.survey = survey;
    this.kind = kind;
    this.shape = shape;
  }

  /**
   * Advice on options of {@code train}, a sentence each.
   *
   * @param model a folder; what depends on its size is left out if its weights cannot be read
   */
  static List<String> of(DataSurvey survey, ExampleKind kind, Path model) {
    if (survey.used() == 0) {
      return List.of();
    }
    TrainingAdvice advice = new TrainingAdvice(survey, kind, shape(model));
    advice.maxLength();
    advice.learningRate();
    if (kind == ExampleKind.PAIRS) {
      advice.beta();
      survey.bias().filter(LengthBias::isClear).ifPresent(advice::lengthBias);
      advice.noise();
    }
    return advice.lines;
  }

  private static Optional<ModelShape> shape(Path model) {
    try {
      ModelBlueprint blueprint = ModelBlueprint.read("model", model);
      return Optional.of(blueprint.of(blueprint.checkpoint()).shape());
    } catch (DpoException e) {
      return Optional.empty(); // only the tokenizer is needed
    }
  }

  private void add(String format, Object... values) {
    lines.add(OptionText.of(format, values));
  }

  private void maxLength() {
    LengthCounts wholes = survey.wholes();
    int usual = Integer.parseInt(standard("max_length"));
    if (wholes.longest() <= usual) {
      add(
          "{max_length} %d, the default, cuts no %s: the longest has %,d tokens%s",
          usual, kind.noun(), wholes.longest(), memory(wholes.longest(), ""));
      return;
    }
    Set<Integer> lengths = new TreeSet<>(List.of(usual));
    for (double share : WANTED_WHOLE) {
      lengths.add((wholes.percentile(share) + LENGTH_STEP - 1) / LENGTH_STEP * LENGTH_STEP);
    }
    String batch = "";
    List<String> choices = new ArrayList<>();
    for (int length : lengths) {
      choices.add(
          "%d%s cuts or drops %s%s"
              .formatted(
                  length,
                  length == usual ? ", the default," : "",
                  percent(wholes.above(length)),
                  memory(length, batch)));
      batch = ", ";
    }
    add("{max_length} %s", String.join("; ", choices));
  }

  private static String standard(String option) {
    return TrainingConfig.OPTIONS.options().stream()
        .filter(spec -> spec.name().equals(option))
        .flatMap(spec -> spec.defaultText().stream())
        .findFirst()
        .orElseThrow();
  }

  private String percent(long count) {
    return String.format(Locale.ROOT, "%.1f %%", 100.0 * count / survey.wholes().size());
  }

  /** What training of the whole model in micro-batches of this length needs. */
  private String memory(int length, String again) {
    if (shape.isEmpty()) {
      return "";
    }
    int batch = Integer.parseInt(standard("per_device_train_batch_size"));
    String bytes = MemorySize.text(bytes(shape.get(), length, batch));
    return again.isEmpty()
        ? " (the whole model with micro-batches of %d needs about %s; plan says it for your options)"
            .formatted(batch, bytes)
        : " (%s)".formatted(bytes);
  }

  private long bytes(ModelShape model, int length, int batch) {
    int prompt = Math.min(survey.prompts().percentile(0.5), length - 1);
    int[] completion = new int[length - prompt];
    List<EncodedCompletion> completions = new ArrayList<>();
    completions.add(new EncodedCompletion(CompletionRole.CHOSEN, completion));
    if (kind == ExampleKind.PAIRS) {
      completions.add(new EncodedCompletion(CompletionRole.REJECTED, completion));
    }
    EncodedExample longest =
        new EncodedExample(new RowOrigin("", 0, 0), new int[prompt], completions, RowNumbers.NONE);
    TokenLoad one = TokenLoad.of(List.of(longest), model);
    TokenLoad all =
        new TokenLoad(
            batch,
            batch * one.tokens(),
            batch * one.predictions(),
            batch * one.predicting(),
            one.keysSeen(),
            one.keysSeenPredicting());
    MemoryModel memory =
        new MemoryModel(
            model, Optional.empty(), 0, 0, false, 1, OptimType.ADAMW_TORCH.momentsInMemory());
    return MemoryModel.total(memory.peak(survey.used(), all, 0));
  }

  /** Ranges of published runs, by size; an adapter starts at zero and takes ten times as much. */
  private void learningRate() {
    if (shape.isEmpty()) {
      return;
    }
    long parameters = shape.get().parameters();
    String range;
    String adapter;
    if (parameters < 1e9) {
      range = "1e-6 to 1e-5";
      adapter = "1e-5 to 1e-4";
    } else if (parameters < 4e9) {
      range = "5e-7 to 5e-6";
      adapter = "5e-6 to 5e-5";
    } else {
      range = "2e-7 to 1e-6";
      adapter = "2e-6 to 2e-5";
    }
    int batch = Integer.parseInt(standard("per_device_train_batch_size"));
    int steps = (survey.used() + batch - 1) / batch;
    add(
        "{learning_rate} %s, with {use_peft} %s: for %s parameters; an epoch has %s of %d %ss%s",
        range,
        adapter,
        millions(parameters),
        ShortNumber.count(steps, "step"),
        batch,
        kind.noun(),
        steps < FEW_STEPS
            ? ", which are few: begin at the upper end, and watch the held-out loss"
            : ": begin in the middle");
  }

  private static String millions(long parameters) {
    return parameters < 1e9
        ? String.format(Locale.ROOT, "%.3g million", parameters / 1e6)
        : String.format(Locale.ROOT, "%.3g billion", parameters / 1e9);
  }

  private void beta() {
    int tokens = survey.scored().percentile(0.5);
    double usual = Double.parseDouble(standard("beta"));
    double perToken = SATURATED / usual / tokens;
    if (perToken <= MOVED) {
      add(
          "{beta} %s, the default: a pair is learned (beta times its margin is %.0f) when the"
              + " log-probabilities of its %,d tokens (median) have moved by %.2f nats each, which is"
              + " little",
          usual, SATURATED, tokens, perToken);
    } else {
      add(
          "{beta} %s or more: answers are short, and at %s, the default, a pair is learned (beta"
              + " times its margin is %.0f) only when the log-probabilities of its %,d tokens (median)"
              + " have moved by %.1f nats each, far from the reference",
          round(SATURATED / MOVED / tokens), usual, SATURATED, tokens, perToken);
    }
  }

  private static String round(double beta) {
    return String.format(Locale.ROOT, "%.1f", Math.max(LEAST_RAISED, Math.min(MOST_BETA, beta)));
  }

  private void lengthBias(LengthBias bias) {
    add(
        "{loss_type} sigmoid_norm with {beta} 5, or simpo: they take means over tokens, and the %s"
            + " answer is longer in %.0f %% of the pairs (%.0f tokens against %.0f on average); or"
            + " {ld_alpha} 0.5 beside sigmoid, which halves the weight of the tokens behind the"
            + " shorter answer's length",
        bias.longer() > bias.shorter() ? "chosen" : "rejected",
        100 * bias.share(),
        Math.max(bias.chosen(), bias.rejected()),
        Math.min(bias.chosen(), bias.rejected()));
  }

  /**
   * With a probability e of a wrong label, two labels of one pair differ with probability 2e(1-e).
   */
  private void noise() {
    long again = survey.duplicates() + survey.contradictions();
    if (survey.contradictions() < SOME) {
      return;
    }
    double differing = Math.min(0.5, (double) survey.contradictions() / again);
    double wrong = (1 - Math.sqrt(1 - 2 * differing)) / 2;
    String smoothing = String.format(Locale.ROOT, "%.2f", Math.max(0.05, Math.min(0.4, wrong)));
    add(
        "{loss_type} robust {label_smoothing} %s, or sigmoid with the same (cDPO): %d of the %d pairs"
            + " that are there again have the opposite label, as with %.0f %% of wrong labels; repair"
            + " them first",
        smoothing, survey.contradictions(), again, 100 * wrong);
  }
}
