package org.dpo4j.data;

import java.util.List;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/** The file formats of pairs, chosen by the end of the file name. */
enum DataFormat {
  JSON_LINES("JSON Lines", ".jsonl"),
  JSON("JSON", ".json"),
  CSV("CSV", ".csv"),
  TSV("TSV", ".tsv"),
  PARQUET("Parquet", ".parquet"),
  /** Rows in memory; no file has this format. */
  MEMORY("in memory", "");

  /** The formats that files have. */
  static final List<DataFormat> OF_FILES =
      Stream.of(values()).filter(format -> format != MEMORY).toList();

  private final String words;
  private final String suffix;

  DataFormat(String words, String suffix) {
    this.words = words;
    this.suffix = suffix;
  }

  String suffix() {
    return suffix;
  }

  /** Whether a file of this format may be compressed as a whole; Parquet compresses its pages. */
  boolean packable() {
    return this != PARQUET;
  }

  /** Whether the format has no types, so that every value starts as text. */
  boolean untyped() {
    return this == CSV || this == TSV;
  }

  /** All endings, for messages. */
  static String endings() {
    List<String> plain = OF_FILES.stream().map(DataFormat::suffix).toList();
    return plain.subList(0, plain.size() - 1).stream().collect(Collectors.joining(", "))
        + " (each also as .gz or .zst) or "
        + plain.get(plain.size() - 1);
  }

  /** The name for messages. */
  @Override
  public String toString() {
    return words;
  }
}
