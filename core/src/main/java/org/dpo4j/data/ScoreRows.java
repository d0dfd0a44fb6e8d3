package org.dpo4j.data;

import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import org.dpo4j.DpoException;

/**
 * Reads a file of scores: a row for each prompt, in the order of the prompts, with the list {@code
 * scores}.
 */
public final class ScoreRows implements AutoCloseable {
  private final FileRows rows;

  private ScoreRows(FileRows rows) {
    this.rows = rows;
  }

  /**
   * Opens a file in a format of rows.
   *
   * @throws DpoException if it cannot be read
   */
  public static ScoreRows open(Path path) {
    return new ScoreRows(FileRows.open(path));
  }

  /**
   * The next row, or empty at the end.
   *
   * @param count number of scores that it must have
   * @throws BadRowException if the row does not have that many finite numbers
   */
  public Optional<double[]> next(int count) {
    return rows.next().map(row -> scores(row, row.list("scores"), count));
  }

  /**
   * Checks that there is no further row.
   *
   * @throws BadRowException if there is one
   */
  public void requireEnd() {
    rows.next()
        .ifPresent(
            row -> {
              throw row.bad("scores without a prompt", "there are more rows than prompts");
            });
  }

  private static double[] scores(RowFields row, List<?> values, int count) {
    if (values.size() != count) {
      throw row.bad(
          "wrong number of scores",
          "the prompt has %d completions but the row has %d scores; rows must be in the order of the prompts"
              .formatted(count, values.size()));
    }
    double[] scores = new double[count];
    for (int i = 0; i < count; i++) {
      if (!(values.get(i) instanceof Number number) || !Double.isFinite(number.doubleValue())) {
        throw row.bad(
            "score that is not a finite number", "score %d is %s".formatted(i + 1, values.get(i)));
      }
      scores[i] = number.doubleValue();
    }
    return scores;
  }

  @Override
  public void close() {
    rows.close();
  }
}
