package org.dpo4j.options;

import java.util.Locale;
import org.dpo4j.DpoException;

/**
 * What a file may cost at most. Files come from strangers: each limit is far above what tools
 * write, and keeps a hostile file from taking all memory or time. A system property, {@code
 * -Ddpo4j.limit.NAME=VALUE}, replaces a limit.
 */
public enum Limit {
  /** Bytes of a JSON file of settings beside the weights, such as {@code config.json}. */
  CONFIG_BYTES(16L << 20, "bytes"),
  /** Bytes of {@code model.safetensors.index.json}. */
  INDEX_BYTES(64L << 20, "bytes"),
  /** Bytes of the header of a safetensors file; the format's own limit. */
  HEADER_BYTES(100_000_000, "bytes"),
  /** Bytes of {@code tokenizer.json}. */
  TOKENIZER_BYTES(128L << 20, "bytes"),
  /** Bytes of a chat template or a model card. */
  TEMPLATE_BYTES(1L << 20, "bytes"),
  /** Bytes of a configuration in YAML. */
  YAML_BYTES(1L << 20, "bytes"),
  /** Bytes of prompts in a text file or on the standard input. */
  PROMPTS_BYTES(64L << 20, "bytes"),
  /** Names, values and brackets of one JSON document. */
  JSON_TOKENS(8_000_000, "tokens"),
  /** Bytes of one row of data. */
  ROW_BYTES(16L << 20, "bytes"),
  /** Elements of the lists and maps of one row of a Parquet file. */
  ROW_ITEMS(1_000_000, "elements"),
  /** Bytes of the body of one request to {@code serve}. */
  REQUEST_BYTES(4L << 20, "bytes"),
  /** Bytes of one page of a Parquet file, unpacked. Writers aim at 1 MiB. */
  PAGE_BYTES(256L << 20, "bytes"),
  /** Bytes that one byte of a packed file may become, and rows that one byte of Parquet may. */
  EXPANSION(500, "times its size");

  private final long value;
  private final String unit;

  Limit(long standard, String unit) {
    this.value = given(property(), standard);
    this.unit = unit;
  }

  private static long given(String property, long standard) {
    Long given = Long.getLong(property);
    return given == null || given < 1 ? standard : given;
  }

  /** The system property that replaces the limit. */
  public String property() {
    return "dpo4j.limit." + name().toLowerCase(Locale.ROOT);
  }

  /** The largest value allowed; at least 1. */
  public long value() {
    return value;
  }

  /** The value as a length of arrays. */
  public int length() {
    return (int) Math.min(value, Integer.MAX_VALUE - 8);
  }

  /**
   * The refusal of a file that exceeds the limit.
   *
   * @param place file and line or row, as messages begin
   * @param what exceeds it, as in {@code the header}
   */
  public DpoException exceeded(String place, String what) {
    return new DpoException("%s %s".formatted(place, rule(what)));
  }

  /** The rule and what to do, as in {@code the header must have at most ...}. */
  public String rule(String what) {
    return "%s must be at most %,d %s but is more; if the file is sound, raise the limit: DPO4J_JAVA_OPTS=-D%s=N"
        .formatted(what, value, unit, property());
  }
}
