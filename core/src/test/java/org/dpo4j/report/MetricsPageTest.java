package org.dpo4j.report;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.OptionalLong;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.MatchResult;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import org.dpo4j.ExampleKind;
import org.junit.jupiter.api.Test;

/** Closes the gap between the metrics that a run writes and those that the documents explain. */
class MetricsPageTest {

  private static final Path PAGE = Path.of("..", "docs", "reference", "metrics.md");
  private static final Pattern ROW = Pattern.compile("(?m)^\\| `([^`]+)` \\|");

  @Test
  void thePageExplainsExactlyTheMetricsThatARunWrites() throws IOException {
    RunHistory history = new RunHistory();
    history.add(SampleRuns.evaluation(0, 0.6931));
    history.add(SampleRuns.step(2, 0.5));
    Results results = new Results(history, 8, 16, 2, 10, 1, OptionalLong.of(1L << 30));
    Set<String> written = new TreeSet<>(results.all().keySet());
    history.log().forEach(entry -> written.addAll(entry.keySet()));
    for (ExampleKind kind : ExampleKind.values()) {
      MetricNames.ofEvaluation(kind, "")
          .forEach(name -> written.add(name.substring("eval_".length())));
    }

    Set<String> explained =
        ROW.matcher(Files.readString(PAGE))
            .results()
            .map((MatchResult row) -> row.group(1))
            .collect(Collectors.toCollection(TreeSet::new));

    assertThat(explained).contains("loss", "rewards/margins");
    // eval_ and a name of the table needs no row of its own.
    written.removeIf(
        name -> name.startsWith("eval_") && explained.contains(name.substring("eval_".length())));
    assertThat(explained).isEqualTo(written);
  }
}
