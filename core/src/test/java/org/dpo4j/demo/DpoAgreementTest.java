package org.dpo4j.demo;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;
import static org.dpo4j.Closeness.relative;

import java.io.InputStream;
import java.util.List;
import java.util.Objects;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.dpo4j.loss.SigmoidLoss;
import org.dpo4j.model.Parameters;
import org.dpo4j.torch.TensorScope;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.ObjectMapper;

/**
 * Closes: a demo that trains, but not the exercise. Every number is compared with what the same
 * recipe gives in plain PyTorch: same seed, same initial weights, same losses.
 */
class DpoAgreementTest {

  private static final JsonNode EXPECTED = expected();

  /** Rounding after the warm-up's steps of Adam, each of which divides by small roots. */
  private static final double FEW_STEPS = 2e-4;

  /** Steps amplify what came before them. */
  private static final double WHOLE_RUN = 2e-2;

  private static JsonNode expected() {
    try (InputStream in =
        Objects.requireNonNull(
            DpoAgreementTest.class.getResourceAsStream("/fixtures/demo_expected.json"))) {
      return new ObjectMapper().readTree(in);
    } catch (java.io.IOException e) {
      throw new java.io.UncheckedIOException(e);
    }
  }

  @Test
  void theTwelveTriplesAreThoseOfTheExercise() {
    JsonNode triples = EXPECTED.get("triples");
    assertThat(DemoTriples.all()).hasSize(12).hasSize(triples.size());
    for (int i = 0; i < 12; i++) {
      assertThat(DemoTriples.all().get(i).prompt())
          .isEqualTo(triples.get(i).get("prompt").asString());
      assertThat(DemoTriples.all().get(i).chosen())
          .isEqualTo(triples.get(i).get("chosen").asString());
      assertThat(DemoTriples.all().get(i).rejected())
          .isEqualTo(triples.get(i).get("rejected").asString());
    }
  }

  @Test
  void initialWeightsAreThoseOfPyTorchWithTheSameSeed() {
    JsonNode sums = EXPECTED.get("parameter_sums");
    try (TinyGpt model = TinyGpt.random(0);
        TensorScope scope = TensorScope.open()) {
      assertThat(model.model().parameters().all()).hasSize(sums.size());
      for (Parameters.Parameter parameter : model.model().parameters().all()) {
        JsonNode expected = sums.get(parameter.name());
        // Each draw may differ in its last bit, 6e-8 of it.
        double off = 1e-6 * expected.get(1).asDouble();
        assertThat(parameter.tensor().to(ScalarType.Double).sum().item_double())
            .as(parameter.name())
            .isCloseTo(expected.get(0).asDouble(), within(off));
        assertThat(parameter.tensor().to(ScalarType.Double).abs().sum().item_double())
            .as(parameter.name())
            .isCloseTo(expected.get(1).asDouble(), within(off));
      }
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"full_batch_lr1e-4", "per_triple_lr1e-3"})
  void theWholeRunAgreesWithPyTorch(String name) {
    JsonNode run = EXPECTED.get(name);
    List<PreferenceTriple> triples = DemoTriples.all();
    try (TinyGpt reference = TinyGpt.random(0)) {
      assertTable(
          Dpo.evaluateMargins(reference, triples), EXPECTED.get("logps_untrained"), FEW_STEPS);
      List<Double> warmup = reference.pretrain(triples);
      for (int i = 0; i < warmup.size(); i++) {
        assertThat(warmup.get(i))
            .usingComparator(relative(FEW_STEPS))
            .isEqualTo(EXPECTED.get("warmup_losses").get(i).asDouble());
      }
      MarginTable before = Dpo.evaluateMargins(reference, triples);
      assertTable(before, EXPECTED.get("logps_reference"), FEW_STEPS);
      assertThat(before.meanMargin())
          .usingComparator(relative(FEW_STEPS))
          .isEqualTo(EXPECTED.get("initial_margin").asDouble());

      try (TinyGpt policy = reference.copy()) {
        DpoSettings settings =
            new DpoSettings(
                new SigmoidLoss(0.2),
                run.get("epochs").asInt(),
                run.get("batch").asInt(),
                run.get("lr").asDouble());
        DpoReport report = Dpo.trainDpo(policy, reference, triples, settings);
        assertRows(report.steps(), run.get("rows"));
        assertTable(report.initial(), EXPECTED.get("logps_reference"), FEW_STEPS);
        MarginTable after = report.trained();
        assertTable(after, run.get("logps_final"), WHOLE_RUN);
        assertThat(after.meanMargin())
            .usingComparator(relative(WHOLE_RUN))
            .isEqualTo(run.get("final_margin").asDouble());
      }
    }
  }

  private static void assertRows(List<DpoReport.Step> rows, JsonNode expected) {
    assertThat(rows).hasSize(expected.size());
    for (int i = 0; i < rows.size(); i++) {
      JsonNode row = expected.get(i);
      DpoReport.Step step = rows.get(i);
      assertClose(i, step.loss(), row.get("loss").asDouble());
      assertClose(i, step.margin(), row.get("margin").asDouble());
      assertClose(i, step.rewardMargin(), row.get("reward_margin").asDouble());
      assertClose(i, step.chosenLogProb(), row.get("chosen_logp").asDouble());
      assertClose(i, step.rejectedLogProb(), row.get("rejected_logp").asDouble());
    }
  }

  private static void assertClose(int row, double value, double expected) {
    assertThat(value)
        .as("row %d", row)
        .usingComparator(relative(row < 5 ? FEW_STEPS : WHOLE_RUN))
        .isEqualTo(expected);
  }

  private static void assertTable(MarginTable table, JsonNode expected, double tolerance) {
    assertThat(table.rows().size()).isEqualTo(expected.size());
    for (int i = 0; i < table.rows().size(); i++) {
      assertThat(table.rows().get(i).chosenLogProb())
          .usingComparator(relative(tolerance))
          .isEqualTo(expected.get(i).get(0).asDouble());
      assertThat(table.rows().get(i).rejectedLogProb())
          .usingComparator(relative(tolerance))
          .isEqualTo(expected.get(i).get(1).asDouble());
    }
  }
}
