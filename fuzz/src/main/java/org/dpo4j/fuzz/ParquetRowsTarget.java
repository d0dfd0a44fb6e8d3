package org.dpo4j.fuzz;

/** Pairs in Parquet. */
public final class ParquetRowsTarget {
  private static final Rows ROWS = new Rows("pairs.parquet");

  private ParquetRowsTarget() {}

  /** Reads one input; whether it was accepted. */
  public static boolean fuzz(byte[] input) throws Exception {
    return ROWS.read(input);
  }

  /** What Jazzer calls. */
  public static void fuzzerTestOneInput(byte[] input) throws Exception {
    fuzz(input);
  }
}
