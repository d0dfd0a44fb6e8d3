package org.dpo4j.run;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.io.OutputStream;
import java.io.PrintStream;
import java.net.URISyntaxException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.assertj.core.data.Percentage;
import org.dpo4j.ExampleKind;
import org.dpo4j.StepReport;
import org.dpo4j.TrainingControl;
import org.dpo4j.TrainingListener;
import org.dpo4j.batch.EpochPlan;
import org.dpo4j.config.LossType;
import org.dpo4j.config.TrainingConfig;
import org.dpo4j.data.RowNumbers;
import org.dpo4j.encode.EncodedExample;
import org.dpo4j.encode.ExampleDataset;
import org.dpo4j.encode.OnBadRow;
import org.dpo4j.logprob.LengthDesensitizing;
import org.dpo4j.logprob.LogProbEngine;
import org.dpo4j.logprob.LogProbTable;
import org.dpo4j.loss.Objective;
import org.dpo4j.loss.ReferenceUse;
import org.dpo4j.model.CausalLm;
import org.dpo4j.optim.AdamW;
import org.dpo4j.optim.LearningRateSchedule;
import org.dpo4j.reference.PrecomputedReference;
import org.dpo4j.report.Progress;
import org.dpo4j.report.RunOutput;
import org.dpo4j.tokenizer.TextReplacement;
import org.dpo4j.torch.ComputeDevice;
import org.dpo4j.train.Computation;
import org.dpo4j.train.Trainer;
import org.dpo4j.train.TrainingData;
import org.dpo4j.train.TrainingSession;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Closes: a first step that depends on how its eight pairs are cut into micro-batches. At the start
 * policy and reference are one model, log-ratios are 0 up to rounding, and a loss with a kink there
 * may take either side: {@code dpop} with the paper's lambda of 50 gave a gradient of 75.8 or 142.5
 * where that of {@code sigmoid}, 10.14, is right. The model is the example's, the pairs are short
 * sentences.
 */
class BatchCutTest {

  /** Pairs of a micro-batch; eight pairs are a step. */
  private static final int[] CUTS = {4, 2, 1};

  /**
   * Sums of the same 32-bit numbers in another order, through four layers: a few units of 2^-21, of
   * which the norm of three million gradients sees the mean. A kink that is taken on the other side
   * changes it by percents at the least.
   */
  private static final Percentage ROUNDING = Percentage.withPercentage(0.01);

  private static final Map<LengthDesensitizing, LogProbTable> STARTS = new HashMap<>();

  private static ModelBundle inputs;
  private static ExampleDataset dataset;

  @BeforeAll
  static void open() throws URISyntaxException, IOException {
    Path file =
        Path.of(
            Objects.requireNonNull(
                    BatchCutTest.class.getResource("/fixtures/numbered-things.jsonl"))
                .toURI());
    inputs =
        ModelBundle.open(
            Path.of("..", "examples", "tiny-chat"),
            Optional.empty(),
            TextReplacement.NONE,
            ComputeDevice.CPU,
            new RunOutput(
                new PrintStream(OutputStream.nullOutputStream(), true, StandardCharsets.UTF_8),
                new PrintStream(OutputStream.nullOutputStream(), true, StandardCharsets.UTF_8),
                Progress.NONE));
    dataset = ExampleDataset.load(file, inputs.encoder(256), OnBadRow.STOP);
  }

  @AfterAll
  static void close() {
    dataset.close();
    inputs.close();
  }

  /** Every loss of which docs/reference/losses.md promises it, and what can be around a loss. */
  static Stream<Map<String, Object>> objectives() {
    List<Map<String, Object>> all = new ArrayList<>();
    for (LossType type : LossType.values()) {
      Map<String, Object> plain = named(type);
      if (objective(plain).loss().separable() && ofPairs(type)) {
        all.add(plain);
      }
    }
    Stream.of("forward_kl", "js_divergence", "alpha_divergence")
        .forEach(type -> all.add(Map.of("loss_type", "sigmoid,hinge", "f_divergence_type", type)));
    for (String type : List.of("dpop", "hinge")) {
      all.add(Map.of("loss_type", type, "ld_alpha", 0.5));
      all.add(Map.of("loss_type", type, "use_weighting", true));
    }
    all.add(Map.of("loss_type", "sigmoid,dpop,hinge", "loss_weights", "1,0.5,0.2"));
    return all.stream();
  }

  private static Map<String, Object> named(LossType type) {
    Map<String, Object> options = new HashMap<>();
    options.put("loss_type", type.name().toLowerCase(java.util.Locale.ROOT));
    if (type == LossType.EXO_PAIR) {
      options.put("label_smoothing", 0.1);
    }
    if (type == LossType.CPO) {
      options.put("cpo_alpha", 0); // above 0 a mean over the tokens of the micro-batch joins
    }
    return options;
  }

  private static boolean ofPairs(LossType type) {
    return objective(named(type)).loss().examples() == ExampleKind.PAIRS;
  }

  @Test
  void onlyTheLossesThatTheReferenceNamesLookBeyondAPair() {
    assertThat(
            Arrays.stream(LossType.values())
                .filter(type -> !objective(named(type)).loss().separable()))
        .containsExactly(LossType.AOT, LossType.AOT_UNPAIRED, LossType.SFT);
  }

  @ParameterizedTest
  @MethodSource("objectives")
  void theCutChangesNoFirstGradient(Map<String, Object> options) {
    Objective objective = objective(options);
    double whole = firstGradient(objective, 8);
    for (int cut : CUTS) {
      assertThat(firstGradient(objective, cut)).isCloseTo(whole, ROUNDING);
    }
  }

  /** Nothing has fallen yet, so that the price of a fall does not matter. */
  @Test
  void whereNothingHasFallenDpopIsSigmoid() {
    double expected = firstGradient(objective(Map.of("loss_type", "sigmoid")), 8);
    for (int cut : new int[] {8, 2}) {
      for (double lambda : new double[] {50, 5000}) {
        Map<String, Object> options = Map.of("loss_type", "dpop", "dpop_lambda", lambda);
        assertThat(firstGradient(objective(options), cut)).isCloseTo(expected, ROUNDING);
      }
    }
  }

  private static Objective objective(Map<String, Object> options) {
    Map<String, Object> all = new HashMap<>(options);
    all.put("model", "m");
    all.put("data_file", "d.jsonl");
    all.put("output_dir", "o");
    return TrainingConfig.of(all).loss().objective();
  }

  /** The pairs with offsets from -2 to 1.5, which one loss reads. */
  private static List<EncodedExample> withMargins(List<EncodedExample> pairs) {
    return IntStream.range(0, pairs.size())
        .mapToObj(
            i -> {
              EncodedExample pair = pairs.get(i);
              OptionalDouble margin = OptionalDouble.of(i % 8 / 2.0 - 2);
              return new EncodedExample(
                  pair.origin(),
                  pair.promptIds(),
                  pair.completions(),
                  new RowNumbers(OptionalDouble.empty(), margin));
            })
        .toList();
  }

  /** The norm of the gradient of the first step. */
  private static double firstGradient(Objective objective, int microBatch) {
    List<EncodedExample> pairs = withMargins(dataset.examples());
    List<StepReport> reports = new ArrayList<>();
    try (CausalLm policy = inputs.model().copy()) {
      // In one batch, as a run computes it before training.
      LogProbTable start =
          STARTS.computeIfAbsent(
              objective.tail(),
              tail ->
                  LogProbTable.compute(
                      LogProbEngine.cpu(), policy, pairs, tail, pairs.size(), done -> {}));
      boolean none = objective.loss().reference() == ReferenceUse.NONE;
      TrainingData data = new TrainingData(pairs, none ? null : new PrecomputedReference(start));
      Trainer.Settings settings =
          new Trainer.Settings(
              new EpochPlan(
                  pairs.size(), microBatch, pairs.size() / microBatch, EpochPlan.Order.FILE, 0),
              1,
              LearningRateSchedule.constant(1e-4),
              AdamW.Settings.ADAM,
              1,
              0,
              1,
              Computation.PLAIN,
              true);
      TrainingListener collector =
          new TrainingListener() {
            @Override
            public void onStep(StepReport step, TrainingControl control) {
              reports.add(step);
            }
          };
      try (TrainingSession session = new TrainingSession(policy, data, objective, settings)) {
        new Trainer(session, collector).train();
      }
    }
    return reports.get(0).gradNorm();
  }
}
