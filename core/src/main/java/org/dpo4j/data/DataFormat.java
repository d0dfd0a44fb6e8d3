package org.dpo4j.data;

import java.util.List;
import java.util.stream.Collectors;

/** The formats of pairs, told by the end of a file's name. */
public enum DataFormat {
  JSON_LINES("JSON Lines", ".jsonl"),
  JSON("JSON", ".json"),
  CSV("CSV", ".csv"),
  TSV("TSV", ".tsv"),
  PARQUET("Parquet", ".parquet"),
  /** Rows that a program hands over; no file has this format. */
  MEMORY("in memory", "");

  /** The formats that files have. */
  static final List<DataFormat> OF_FILES = List.of(JSON_LINES, JSON, CSV, TSV, PARQUET);

  private final String words;
  private final String suffix;

  DataFormat(String words, String suffix) {
    this.words = words;
    this.suffix = suffix;
  }

  String suffix() {
    return suffix;
  }

  /** Whether a whole file may be packed; Parquet packs its own pages. */
  boolean packable() {
    return this != PARQUET;
  }

  /** Whether every value is text at first, for lack of types in the format. */
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

  /** The name for people. */
  @Override
  public String toString() {
    return words;
  }
}
