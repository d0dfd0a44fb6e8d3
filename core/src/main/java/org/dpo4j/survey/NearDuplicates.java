package org.dpo4j.survey;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.OptionalInt;
import java.util.Random;

/**
 * Finds texts that are nearly an earlier one: of all runs of three words of the two, four fifths or
 * more are in both (Jaccard similarity 0.8), as estimated by MinHash (Broder 1997) with 40 hash
 * functions of which one byte each is kept. Earlier texts are looked up in eight bands of five
 * bytes, so a text is compared with eight earlier ones at most, however many there are. A text with
 * similarity 0.9 to an earlier one shares a band with it with probability 0.999, one with 0.8 with
 * 0.96, one with 0.5 with 0.22. Keeps 40 bytes of signature and 43 to 85 bytes of tables per text.
 */
final class NearDuplicates {
  /** Similarity from which two texts are nearly one. */
  static final double THRESHOLD = 0.8;

  private static final int BANDS = 8;
  private static final int ROWS = 5;
  private static final int HASHES = BANDS * ROWS;
  private static final int AGREEING = (int) Math.ceil(THRESHOLD * HASHES);
  private static final int PAGE = 1 << 12; // signatures

  /** Multipliers and offsets of 40 hash functions: multiply-shift, Dietzfelbinger et al. 1997. */
  private static final long[] FACTORS = new long[HASHES];

  private static final long[] OFFSETS = new long[HASHES];

  static {
    Random random = new Random(20);
    for (int i = 0; i < HASHES; i++) {
      FACTORS[i] = random.nextLong() | 1;
      OFFSETS[i] = random.nextLong();
    }
  }

  private final List<byte[]> pages = new ArrayList<>();
  private final int[][] tables = new int[BANDS][1 << 10]; // text + 1; 0 in a free slot
  private int size;

  /**
   * The first text found that this one nearly repeats.
   *
   * @param texts of one example, whose order does not matter
   * @param index of the example; rises from call to call, and may leave out some
   */
  OptionalInt findOrAdd(List<String> texts, int index) {
    byte[] signature = signature(texts);
    int found = -1;
    for (int band = 0; band < BANDS; band++) {
      int slot = slot(band, signature);
      int earlier = tables[band][slot] - 1;
      if (earlier < 0) {
        tables[band][slot] = index + 1;
      } else if (found < 0 && agreeing(signature, earlier) >= AGREEING) {
        found = earlier;
      }
    }
    keep(signature, index);
    return found < 0 ? OptionalInt.empty() : OptionalInt.of(found);
  }

  private void keep(byte[] signature, int index) {
    while (pages.size() <= index / PAGE) {
      pages.add(new byte[PAGE * HASHES]);
    }
    System.arraycopy(signature, 0, pages.get(index / PAGE), index % PAGE * HASHES, HASHES);
    if (++size > tables[0].length / 4 * 3) {
      for (int band = 0; band < BANDS; band++) {
        grow(band);
      }
    }
  }

  private void grow(int band) {
    int[] old = tables[band];
    tables[band] = new int[2 * old.length];
    byte[] signature = new byte[HASHES];
    for (int entry : old) {
      if (entry != 0) {
        int at = (entry - 1) % PAGE * HASHES;
        System.arraycopy(pages.get((entry - 1) / PAGE), at, signature, 0, HASHES);
        tables[band][slot(band, signature)] = entry;
      }
    }
  }

  /** The slot of the first text with the same bytes in a band, or the free one for it. */
  private int slot(int band, byte[] signature) {
    int from = band * ROWS;
    long bytes = 0;
    for (int i = from; i < from + ROWS; i++) {
      bytes = bytes << Byte.SIZE | (signature[i] & 0xff);
    }
    int[] table = tables[band];
    int mask = table.length - 1;
    int slot = (int) Hashes.mix(bytes) & mask;
    while (table[slot] != 0 && !sameBand(signature, table[slot] - 1, from)) {
      slot = (slot + 1) & mask;
    }
    return slot;
  }

  private boolean sameBand(byte[] signature, int earlier, int from) {
    int at = earlier % PAGE * HASHES;
    return Arrays.equals(
        signature, from, from + ROWS, pages.get(earlier / PAGE), at + from, at + from + ROWS);
  }

  private int agreeing(byte[] signature, int earlier) {
    byte[] page = pages.get(earlier / PAGE);
    int at = earlier % PAGE * HASHES;
    int agreeing = 0;
    for (int i = 0; i < HASHES; i++) {
      agreeing += signature[i] == page[at + i] ? 1 : 0;
    }
    return agreeing;
  }

  private static byte[] signature(List<String> texts) {
    int[] least = new int[HASHES];
    Arrays.fill(least, -1); // the largest, unsigned
    texts.forEach(text -> shingles(text, least));
    byte[] signature = new byte[HASHES];
    for (int i = 0; i < HASHES; i++) {
      signature[i] = (byte) least[i];
    }
    return signature;
  }

  /** Words are runs of letters and digits in lower case, and each ideograph is one. */
  private static void shingles(String text, int[] least) {
    long[] last = new long[2];
    int words = 0;
    int at = 0;
    while (at < text.length()) {
      int point = text.codePointAt(at);
      at += Character.charCount(point);
      if (!Character.isLetterOrDigit(point)) {
        continue;
      }
      long word = Hashes.mix(Character.toLowerCase(point));
      if (!Character.isIdeographic(point)) {
        for (; at < text.length(); at += Character.charCount(point)) {
          point = text.codePointAt(at);
          if (!Character.isLetterOrDigit(point) || Character.isIdeographic(point)) {
            break;
          }
          word = Hashes.mix(word + Character.toLowerCase(point));
        }
      }
      if (++words > 2) {
        take(Hashes.of(Hashes.of(last[0], last[1]), word), least);
      }
      last[0] = last[1];
      last[1] = word;
    }
    if (words > 0 && words < 3) {
      take(Hashes.of(Hashes.of(last[0], last[1]), words), least);
    }
  }

  private static void take(long shingle, int[] least) {
    for (int i = 0; i < HASHES; i++) {
      int hash = (int) ((shingle * FACTORS[i] + OFFSETS[i]) >>> Integer.SIZE);
      if (Integer.compareUnsigned(hash, least[i]) < 0) {
        least[i] = hash;
      }
    }
  }
}
