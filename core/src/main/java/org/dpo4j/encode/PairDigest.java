package org.dpo4j.encode;

import java.nio.ByteBuffer;
import java.security.MessageDigest;
import java.util.HexFormat;
import java.util.List;
import org.dpo4j.data.Sha256;

/** A hash of everything in a list of pairs that training depends on, order included. */
public final class PairDigest {

  private PairDigest() {}

  /**
   * Adds the ids of a pair, each list with its length, so that no token can change sides unseen.
   */
  public static void update(MessageDigest digest, EncodedPair pair) {
    for (int[] ids : List.of(pair.promptIds(), pair.chosenIds(), pair.rejectedIds())) {
      ByteBuffer bytes = ByteBuffer.allocate(Integer.BYTES * (1 + ids.length));
      bytes.putInt(ids.length).asIntBuffer().put(ids);
      digest.update(bytes.array());
    }
  }

  /** SHA-256 of ids and weights, in lower-case hex. */
  public static String of(List<EncodedPair> pairs) {
    MessageDigest digest = Sha256.digest();
    for (EncodedPair pair : pairs) {
      update(digest, pair);
      digest.update(ByteBuffer.allocate(Double.BYTES).putDouble(pair.weight()).array());
    }
    return HexFormat.of().formatHex(digest.digest());
  }
}
