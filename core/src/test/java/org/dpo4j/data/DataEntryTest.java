package org.dpo4j.data;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.dpo4j.DpoException;
import org.dpo4j.UsageException;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Closes folders and patterns that read other files than one would think. */
class DataEntryTest {
  private final Path folder;

  DataEntryTest(@TempDir Path folder) {
    this.folder = folder;
  }

  @BeforeEach
  void makeFiles() throws IOException {
    for (String name :
        List.of("b.csv", "a.JSONL.gz", "c.parquet", "README.md", ".hidden.jsonl", "sub/d.jsonl")) {
      Files.createDirectories(folder.resolve(name).resolveSibling("."));
      Files.writeString(folder.resolve(name), "");
    }
  }

  @Test
  void aFolderIsItsFilesByNameAndSaysWhatItDoesNotRead() {
    DataEntry entry = DataEntry.of("data_file", folder);
    assertThat(names(entry)).containsExactly("a.JSONL.gz", "b.csv", "c.parquet");
    assertThat(entry.files())
        .extracting(DataFile::format)
        .containsExactly(DataFormat.JSON_LINES, DataFormat.CSV, DataFormat.PARQUET);
    assertThat(entry.notRead()).containsExactly("README.md", "sub/");
    assertThat(entry).hasToString(folder + " (3 files, JSON Lines and CSV and Parquet)");
  }

  @Test
  void aPatternIsAllThatMatchesIt() {
    assertThat(names(pattern("*.{csv,parquet}"))).containsExactly("b.csv", "c.parquet");
    assertThat(names(pattern("s?b/*.jsonl"))).containsExactly("d.jsonl");
    assertThat(names(pattern("**.jsonl"))).containsExactly(".hidden.jsonl", "d.jsonl");
    assertThatThrownBy(() -> pattern("*.md"))
        .isInstanceOf(DpoException.class)
        .hasMessageContaining("README.md] a data file must be named .jsonl, .json, .csv, .tsv");
    assertThatThrownBy(() -> pattern("*.json"))
        .isInstanceOf(UsageException.class)
        .hasMessageContaining("*.json matches none");
  }

  @Test
  void aFileWhoseNameLooksLikeAPatternIsThatFile() throws IOException {
    Path odd = Files.writeString(folder.resolve("[a]{b}.jsonl"), "");
    assertThat(DataEntry.of("data_file", odd).files())
        .extracting(DataFile::path)
        .containsExactly(odd);
  }

  private DataEntry pattern(String pattern) {
    return DataEntry.of("data_file", folder.resolve(pattern));
  }

  private static List<String> names(DataEntry entry) {
    return entry.files().stream().map(file -> file.path().getFileName().toString()).toList();
  }
}
