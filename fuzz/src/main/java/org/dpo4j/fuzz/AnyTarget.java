package org.dpo4j.fuzz;

import java.util.Arrays;
import java.util.List;

/** All targets in one JVM, for a short run: the first byte of an input chooses its target. */
public final class AnyTarget {
  private static final List<FuzzTarget> TARGETS = List.of(FuzzTarget.values());

  private AnyTarget() {}

  /** The input that gives a target these bytes. */
  static byte[] input(FuzzTarget target, byte[] bytes) {
    byte[] input = new byte[bytes.length + 1];
    input[0] = (byte) TARGETS.indexOf(target);
    System.arraycopy(bytes, 0, input, 1, bytes.length);
    return input;
  }

  /** Reads one input; whether it was accepted. */
  static boolean fuzz(byte[] input) throws Exception {
    return input.length > 0
        && TARGETS
            .get((input[0] & 0xff) % TARGETS.size())
            .read(Arrays.copyOfRange(input, 1, input.length));
  }

  /** What Jazzer calls. */
  public static void fuzzerTestOneInput(byte[] input) throws Exception {
    fuzz(input);
  }
}
