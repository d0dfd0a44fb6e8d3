package org.dpo4j.judge;

import java.nio.file.Path;
import org.dpo4j.DpoException;
import org.dpo4j.data.SampledPrompt;
import org.dpo4j.data.ScoreRows;

/** Passes on the scores of a file. */
final class ScoreFileJudge implements Judge {
  private final Path file;
  private final ScoreRows rows;

  ScoreFileJudge(Path file) {
    this.file = file;
    rows = ScoreRows.open(file);
  }

  @Override
  public double[] scores(SampledPrompt prompt) {
    return rows.next(prompt.completions().size())
        .orElseThrow(
            () ->
                new DpoException(
                    "[%s] must have a row of scores for each prompt but ends before that of %s; score the file of completions again"
                        .formatted(file, prompt.origin())));
  }

  @Override
  public void end() {
    rows.requireEnd();
  }

  @Override
  public void close() {
    rows.close();
  }
}
