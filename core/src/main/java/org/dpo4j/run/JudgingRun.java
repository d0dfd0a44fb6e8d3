package org.dpo4j.run;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.dpo4j.config.Judging;
import org.dpo4j.data.SampledPrompt;
import org.dpo4j.judge.AnswerFigures;
import org.dpo4j.judge.AnswerTally;
import org.dpo4j.judge.Judge;
import org.dpo4j.report.RunOutput;
import org.jspecify.annotations.Nullable;

/** Writes the scores of sampled completions: one JSON line per prompt, with a list of scores. */
final class JudgingRun {
  private JudgingRun() {}

  /**
   * Scores a file; the output appears when it is complete.
   *
   * @param threads commands at a time, or threads of the CPU; 0 for all cores
   */
  static AnswerFigures run(
      Path completions, Judging judging, int threads, Path output, RunOutput console) {
    AnswerTally tally = new AnswerTally(judging.leastGood());
    List<Path> inputs = new ArrayList<>(judging.inputs());
    inputs.add(completions);
    try (Judge judge = judging.open(threads, console::warn);
        RowWriter writer = RowWriter.open(output, inputs, console)) {
      SampledFile.forEach(
          completions,
          "judge",
          console.progress(),
          prompt -> {
            double[] scores = judge.scores(prompt);
            tally.add(prompt, scores);
            writer.write(row(prompt, scores));
          });
      judge.end();
      writer.publish();
    }
    return tally.figures();
  }

  private static Map<String, @Nullable Object> row(SampledPrompt prompt, double[] scores) {
    Map<String, @Nullable Object> row = new LinkedHashMap<>(prompt.place());
    row.put("scores", scores);
    return row;
  }
}
