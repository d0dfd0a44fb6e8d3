package org.dpo4j.fuzz;

/** Pairs in JSON Lines, packed by gzip. */
public final class GzipRowsTarget {
  private static final Rows ROWS = new Rows("pairs.jsonl.gz");

  private GzipRowsTarget() {}

  /** Reads one input; whether it was accepted. */
  public static boolean fuzz(byte[] input) throws Exception {
    return ROWS.read(input);
  }

  /** What Jazzer calls. */
  public static void fuzzerTestOneInput(byte[] input) throws Exception {
    fuzz(input);
  }
}
