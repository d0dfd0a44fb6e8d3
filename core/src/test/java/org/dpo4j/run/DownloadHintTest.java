package org.dpo4j.run;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Closes: advice after a download of a data set that names no file, or those of another split. */
class DownloadHintTest {

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      textBlock =
          """
          README.md a.jsonl                                            | set/a.jsonl
          a.jsonl test.jsonl train.jsonl                               | set/train.jsonl
          data/test-0.parquet data/train-00-of-02.parquet data/train-01-of-02.parquet | set/data/train-0*-of-02.parquet
          a/train.csv b/train.csv                                      | set/*/train.csv
          train.csv b/train.csv                                        | set/train.csv
          aa.csv aaa.csv                                               | set/aa*.csv
          """)
  void theFilesToTrainOnAreNamed(String paths, String named) {
    assertThat(DownloadRun.rows(Path.of("set"), List.of(paths.split(" "))))
        .contains("./dpo4j train --model MODEL --data_file '%s' --output_dir DIR".formatted(named));
  }

  @ParameterizedTest
  @CsvSource({"README.md", "README.md model.bin"})
  void withoutRowsNoneAreNamed(String paths) {
    assertThat(DownloadRun.rows(Path.of("set"), List.of(paths.split(" ")))).isEmpty();
  }
}
