package org.dpo4j.report;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.Map;
import org.junit.jupiter.api.Test;

/** Closes: a metric under a wrong name, and a number that a person reads wrongly. */
class ConsoleReportTest {
  private final ByteArrayOutputStream bytes = new ByteArrayOutputStream();
  private final ConsoleReport console =
      new ConsoleReport(new PrintStream(bytes, true, StandardCharsets.UTF_8));

  @Test
  void aStepIsOneDictionaryLineWithTrlsNamesInItsOrder() {
    console.print(SampleRuns.step(1, 0.6931472));
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
    console.print(SampleRuns.evaluation(0, 0.7));
    assertThat(printed())
        .startsWith("{'eval_loss': 0.7, 'eval_runtime': 7.776, 'eval_samples_per_second': 4.244,")
        .contains("'eval_rewards/accuracies': 0.75, 'eval_rewards/margins': 0.75,")
        .endsWith("'eval_logits/rejected': -1.89, 'epoch': 0.0}\n");
  }

  @Test
  void nanAndInfinityAreVisible() {
    console.print(SampleRuns.step(1, Double.NaN));
    console.print(Map.of("x", Double.NEGATIVE_INFINITY));
    assertThat(printed()).startsWith("{'loss': nan,").endsWith("{'x': -inf}\n");
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

  private String printed() {
    return bytes.toString(StandardCharsets.UTF_8).replace(System.lineSeparator(), "\n");
  }
}
