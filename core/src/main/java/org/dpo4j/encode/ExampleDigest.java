package org.dpo4j.encode;

import java.nio.ByteBuffer;
import java.security.MessageDigest;
import java.util.BitSet;
import java.util.HexFormat;
import java.util.List;
import org.dpo4j.data.Sha256;

/** A hash of everything in a list of examples that training depends on, order included. */
public final class ExampleDigest {

  /** Precedes a margin: no role has this code. */
  private static final byte MARGIN = 'm';

  private ExampleDigest() {}

  /**
   * Adds the ids of an example, each list with its length, so that no token can change sides
   * unseen.
   */
  public static void update(MessageDigest digest, EncodedExample example) {
    update(digest, example.promptIds());
    example.completions().forEach(completion -> update(digest, completion.ids()));
  }

  private static void update(MessageDigest digest, int[] ids) {
    ByteBuffer bytes = ByteBuffer.allocate(Integer.BYTES * (1 + ids.length));
    bytes.putInt(ids.length).asIntBuffer().put(ids);
    digest.update(bytes.array());
  }

  private static void update(MessageDigest digest, double value) {
    digest.update(ByteBuffer.allocate(Double.BYTES).putDouble(value).array());
  }

  /** Adds what the loss reads besides ids. */
  private static void updateRest(MessageDigest digest, EncodedExample example) {
    update(digest, example.weight());
    example
        .numbers()
        .margin()
        .ifPresent(
            margin -> {
              digest.update(MARGIN);
              update(digest, margin);
            });
    for (EncodedCompletion completion : example.completions()) {
      digest.update((byte) completion.role().code());
      BitSet unscored = completion.unscored();
      digest.update(unscored == null ? new byte[0] : unscored.toByteArray());
    }
  }

  /** SHA-256 of ids, weights, margins and roles, in lower-case hex. */
  public static String of(List<EncodedExample> examples) {
    MessageDigest digest = Sha256.digest();
    for (EncodedExample example : examples) {
      update(digest, example);
      updateRest(digest, example);
    }
    return HexFormat.of().formatHex(digest.digest());
  }
}
