package org.dpo4j.report;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Map;
import org.dpo4j.EvaluationReport;
import org.dpo4j.PairMetrics;
import org.dpo4j.TrainingMetrics;
import org.junit.jupiter.api.Test;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** Closes: a metric under a wrong name, and a number that a person reads wrongly. */
class ConsoleReportTest {
  private final ByteArrayOutputStream bytes = new ByteArrayOutputStream();

  @Test
  void aTableHasTheStepOfAllStepsAndEvaluationsAreMarked() {
    ConsoleReport console = console(LogFormat.TABLE, 4);
    TrainingMetrics ties = PairMetrics.of(0.6931472, 0, 0, 0, 1e-6, -100, -90, 0, 0, 4, 0.3);
    console.print(new EvaluationReport(0, 0, "", ties, 12, 1));
    console.print(SampleRuns.step(2, 0.6), 125);
    console.print(SampleRuns.step(4, 0.5), 0);
    console.print(SampleRuns.evaluation(4, 0.55));
    console.finish(Map.of("train_loss", 0.5), 4);
    // 125 s are 2 minutes. Before the first step each pair is a tie: no accuracy.
    assertThat(printed())
        .isEqualTo(
            """
                   step        loss  reward margin  accuracy  learning rate   time left
            eval    0/4      0.6931         +0.000         -
            train   2/4      0.6000         +0.750    75.0 %          1e-06       2 min
            train   4/4      0.5000         +0.750    75.0 %          1e-06         0 s
            eval    4/4      0.5500         +0.750    75.0 %
            """);
  }

  @Test
  void nothingIsMinusZero() {
    ConsoleReport console = console(LogFormat.TABLE, 4);
    // A mean loss of -0.00001 and a margin of -0.0002 are nothing in so many digits.
    TrainingMetrics none = PairMetrics.of(-1e-5, 0, 0, 0.5, -2e-4, -100, -90, 0, 0, 4, 0.3);
    console.print(new EvaluationReport(4, 1, "", none, 12, 1));
    assertThat(printed()).contains(" 0.0000 ", " +0.000 ").doesNotContain("-0.0");
    assertThat(ShortNumber.fixed("%+.3f", -0.0006)).isEqualTo("-0.001");
    assertThat(ShortNumber.fixed("%+.3f", -1.25e5)).isEqualTo("-125000.0");
    assertThat(ShortNumber.fixed("%.4f", Double.NaN)).isEqualTo("nan");
  }

  @Test
  void oneIsNoPlural() {
    assertThat(ShortNumber.count(1, "step")).isEqualTo("1 step");
    assertThat(ShortNumber.count(0, "step")).isEqualTo("0 steps");
    assertThat(ShortNumber.count(1024, "pair")).isEqualTo("1,024 pairs");
  }

  @Test
  void aTableFitsInAHundredColumnsAndStaysAlignedWithHugeNumbers() {
    ConsoleReport console = console(LogFormat.TABLE, 1_234_567);
    console.print(SampleRuns.step(9, 0.6), Double.NaN);
    console.print(SampleRuns.step(1_234_567, 8.23e22), 4e5);
    console.print(SampleRuns.step(1_234_567, Double.NaN), 4e5);
    List<String> lines = printed().lines().toList();
    assertThat(lines).allSatisfy(line -> assertThat(line).hasSizeLessThanOrEqualTo(100));
    assertThat(lines.subList(1, 4))
        .allSatisfy(line -> assertThat(line).hasSize(lines.get(0).length()));
    assertThat(lines.get(2)).contains("1234567/1234567  ", "8.23e+22", "4 d 15 h");
    assertThat(lines.get(3)).contains(" nan ");
  }

  @Test
  void aStepIsOneDictionaryLineWithTrlsNamesInItsOrder() {
    console(LogFormat.DICT, 4).print(SampleRuns.step(1, 0.6931472), 5);
    assertThat(printed())
        .isEqualTo(
            "{'loss': 0.6931, 'grad_norm': 33.54, 'learning_rate': 1e-06, 'entropy': 3.948,"
                + " 'num_tokens': 2891, 'mean_token_accuracy': 0.3654, 'rewards/chosen': 0.5,"
                + " 'rewards/rejected': -0.25, 'rewards/accuracies': 0.75, 'rewards/margins': 0.75,"
                + " 'logps/chosen': -1229.0, 'logps/rejected': -770.6, 'logits/chosen': -1.84,"
                + " 'logits/rejected': -1.89, 'epoch': 0.5}\n");
  }

  @Test
  void anEvaluationHasThePrefixAndItsSpeed() {
    // 33 pairs in 7.7762 s are 4.2437 a second.
    console(LogFormat.DICT, 4).print(SampleRuns.evaluation(0, 0.7));
    assertThat(printed())
        .startsWith("{'eval_loss': 0.7, 'eval_runtime': 7.776, 'eval_samples_per_second': 4.244,")
        .contains("'eval_rewards/accuracies': 0.75, 'eval_rewards/margins': 0.75,")
        .endsWith("'eval_logits/rejected': -1.89, 'epoch': 0.0}\n");
  }

  @Test
  void nanAndInfinityAreVisible() {
    ConsoleReport console = console(LogFormat.DICT, 4);
    console.print(SampleRuns.step(1, Double.NaN), 0);
    console.finish(Map.of("x", Double.NEGATIVE_INFINITY), 1);
    assertThat(printed()).startsWith("{'loss': nan,").endsWith("{'x': -inf}\n");
  }

  @Test
  void aJsonLineHasTheSameKeysAndTheStepWithAllDigits() {
    ConsoleReport json = console(LogFormat.JSON, 4);
    json.print(SampleRuns.step(1, 0.69314718), 5);
    json.print(SampleRuns.evaluation(4, Double.NaN));
    json.finish(Map.of("train_loss", 0.5), 4);
    List<JsonNode> lines = printed().lines().map(JsonMapper.shared()::readTree).toList();
    assertThat(lines.get(0).get("loss").isNumber()).isTrue();
    assertThat(lines.get(0).get("loss").doubleValue()).isEqualTo(0.69314718);
    assertThat(lines.get(0).get("step").intValue()).isEqualTo(1);
    assertThat(lines.get(0).propertyNames())
        .containsExactlyElementsOf(
            java.util.stream.Stream.concat(
                    MetricNames.of(SampleRuns.step(1, 0.7)).keySet().stream(),
                    java.util.stream.Stream.of("step"))
                .toList());
    assertThat(lines.get(1).get("eval_loss").isNull()).isTrue();
    assertThat(lines.get(1).get("step").intValue()).isEqualTo(4);
    assertThat(lines.get(2).get("train_loss").doubleValue()).isEqualTo(0.5);
    assertThat(lines).hasSize(3);
  }

  @Test
  void timesHaveTheirLargestUnits() {
    assertThat(TimeText.of(0.4)).isEqualTo("0 s");
    assertThat(TimeText.of(59.4)).isEqualTo("59 s");
    assertThat(TimeText.of(59.7)).isEqualTo("1 min");
    assertThat(TimeText.of(3599)).isEqualTo("1 h 00 min");
    assertThat(TimeText.of(2 * 3600 + 5 * 60)).isEqualTo("2 h 05 min");
    assertThat(TimeText.of(24 * 3600 - 1)).isEqualTo("1 d 00 h");
    assertThat(TimeText.of(51 * 3600)).isEqualTo("2 d 03 h");
    assertThat(TimeText.of(Double.NaN)).isEqualTo("-");
  }

  @Test
  void numbersAreWrittenAsPythonWritesThem() {
    assertThat(ShortNumber.of(0.0)).isEqualTo("0.0");
    assertThat(ShortNumber.of(-0.0)).isEqualTo("0.0");
    assertThat(ShortNumber.of(5e-5)).isEqualTo("5e-05");
    assertThat(ShortNumber.of(1.2344e-7)).isEqualTo("1.234e-07");
    assertThat(ShortNumber.of(1234.5)).isEqualTo("1234.0");
    assertThat(ShortNumber.of(0.0001)).isEqualTo("0.0001");
    assertThat(ShortNumber.of(99_999.0)).isEqualTo("100000.0");
    assertThat(ShortNumber.of(1e16)).isEqualTo("1e+16");
    assertThat(ShortNumber.of(1e-300)).isEqualTo("1e-300");
    assertThat(ShortNumber.of(123_456_789L)).isEqualTo("123456789");
  }

  private ConsoleReport console(LogFormat format, int maxSteps) {
    return new ConsoleReport(
        new PrintStream(bytes, true, StandardCharsets.UTF_8), format, maxSteps, 0);
  }

  private String printed() {
    return bytes.toString(StandardCharsets.UTF_8).replace(System.lineSeparator(), "\n");
  }
}
