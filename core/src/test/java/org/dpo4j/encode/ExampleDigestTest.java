package org.dpo4j.encode;

import static org.assertj.core.api.Assertions.assertThat;

import java.security.MessageDigest;
import java.util.BitSet;
import java.util.HashSet;
import java.util.HexFormat;
import java.util.List;
import java.util.OptionalDouble;
import java.util.Set;
import org.dpo4j.data.CompletionRole;
import org.dpo4j.data.RowNumbers;
import org.dpo4j.data.RowOrigin;
import org.dpo4j.data.Sha256;
import org.junit.jupiter.api.Test;

/**
 * Closes: a run that continues on other data, or a reference read from the cache of other data, for
 * want of one field in a hash.
 */
class ExampleDigestTest {

  private static EncodedExample example(int[] prompt, int[] chosen, int[] rejected, double weight) {
    return new EncodedExample(
        new RowOrigin("f", 1, 1), prompt, chosen, rejected, RowNumbers.ofWeight(weight));
  }

  private static EncodedExample withMargin(double margin) {
    return new EncodedExample(
        new RowOrigin("f", 1, 1),
        new int[] {1, 2},
        new int[] {3, 4},
        new int[] {5, 6},
        new RowNumbers(OptionalDouble.empty(), OptionalDouble.of(margin)));
  }

  private static EncodedExample single(CompletionRole role, int... unscored) {
    BitSet places = new BitSet();
    for (int place : unscored) {
      places.set(place);
    }
    return new EncodedExample(
        new RowOrigin("f", 1, 1),
        new int[] {1},
        List.of(new EncodedCompletion(role, new int[] {2, 3}, places)),
        RowNumbers.NONE);
  }

  @Test
  void everythingThatTrainingDependsOnChangesIt() {
    EncodedExample plain = example(new int[] {1, 2}, new int[] {3, 4}, new int[] {5, 6}, 1);
    EncodedExample other = example(new int[] {7}, new int[] {8}, new int[] {9}, 1);
    List<List<EncodedExample>> all =
        List.of(
            List.of(),
            List.of(plain),
            List.of(other),
            List.of(plain, other),
            List.of(other, plain),
            List.of(plain, plain),
            List.of(example(new int[] {0, 2}, new int[] {3, 4}, new int[] {5, 6}, 1)),
            List.of(example(new int[] {1, 2}, new int[] {3, 0}, new int[] {5, 6}, 1)),
            List.of(example(new int[] {1, 2}, new int[] {3, 4}, new int[] {5, 0}, 1)),
            List.of(example(new int[] {1}, new int[] {2, 3, 4}, new int[] {5, 6}, 1)),
            List.of(example(new int[] {1, 2}, new int[] {3, 4, 5}, new int[] {6}, 1)),
            List.of(example(new int[] {1, 2}, new int[] {5, 6}, new int[] {3, 4}, 1)),
            List.of(example(new int[] {1, 2}, new int[] {3, 4}, new int[] {5, 6}, 1 + 1e-15)),
            List.of(withMargin(0)),
            List.of(withMargin(-0.0)),
            List.of(withMargin(1e-15)),
            List.of(withMargin(1), withMargin(2)),
            List.of(withMargin(2), withMargin(1)),
            List.of(single(CompletionRole.CHOSEN)),
            List.of(single(CompletionRole.REJECTED)),
            List.of(single(CompletionRole.CHOSEN, 0)),
            List.of(single(CompletionRole.CHOSEN, 1)));
    Set<String> digests = new HashSet<>();
    all.forEach(examples -> digests.add(ExampleDigest.of(examples)));
    assertThat(digests).hasSize(all.size()).allMatch(digest -> digest.matches("[0-9a-f]{64}"));
    assertThat(ExampleDigest.of(all.get(3))).isEqualTo(ExampleDigest.of(List.of(plain, other)));
  }

  @Test
  void whereARowStandsDoesNotChangeIt() {
    EncodedExample here = example(new int[] {1}, new int[] {2}, new int[] {3}, 1);
    EncodedExample there =
        new EncodedExample(new RowOrigin("g", 8, 9), new int[] {1}, new int[] {2}, new int[] {3});
    assertThat(ExampleDigest.of(List.of(here))).isEqualTo(ExampleDigest.of(List.of(there)));
  }

  /** Saved runs and caches have these digests: another one would refuse them all. */
  @Test
  void theDigestOfSavedRunsStaysWhatItWas() {
    assertThat(ids(example(new int[] {1, 2}, new int[] {3}, new int[] {258}, 2)))
        .isEqualTo(
            HexFormat.of()
                .formatHex(
                    Sha256.digest()
                        .digest(
                            bytes(
                                "00000002 00000001 00000002"
                                    + " 00000001 00000003 00000001 00000102"))));
    assertThat(
            ExampleDigest.of(List.of(example(new int[] {1, 2}, new int[] {3}, new int[] {258}, 2))))
        .isEqualTo(
            HexFormat.of()
                .formatHex(
                    Sha256.digest()
                        .digest(
                            bytes(
                                "00000002 00000001 00000002 00000001 00000003 00000001 00000102"
                                    + " 40000000 00000000 00 01")))); // weight 2, chosen, rejected
  }

  /**
   * A cache keeps its log-probabilities when the margins change: the reference sees texts alone.
   */
  @Test
  void aMarginIsNoPartOfTheIdsThatACacheIsKeyedBy() {
    EncodedExample plain = example(new int[] {1, 2}, new int[] {3, 4}, new int[] {5, 6}, 1);
    assertThat(ids(withMargin(3))).isEqualTo(ids(plain));
  }

  private static String ids(EncodedExample example) {
    MessageDigest digest = Sha256.digest();
    ExampleDigest.update(digest, example);
    return HexFormat.of().formatHex(digest.digest());
  }

  private static byte[] bytes(String hex) {
    return HexFormat.of().parseHex(hex.replace(" ", ""));
  }
}
