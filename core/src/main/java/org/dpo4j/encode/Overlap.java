package org.dpo4j.encode;

import java.util.Arrays;
import java.util.List;
import java.util.function.Predicate;
import org.dpo4j.data.RowOrigin;
import org.jspecify.annotations.Nullable;

/**
 * Held-out pairs that are also trained on. Pairs are compared on disk by their ids after
 * truncation; counting takes 11 bytes of memory per training pair.
 *
 * @param pairs held-out pairs that are equal to a training pair
 * @param prompts further held-out pairs that share the prompt of a training pair; pairs without a
 *     prompt share none
 * @param held the first held-out pair that is equal to a training pair or, failing that, shares a
 *     prompt; or null
 * @param trained the training pair that it matches, or null
 */
public record Overlap(
    int pairs, int prompts, @Nullable RowOrigin held, @Nullable RowOrigin trained) {

  /**
   * Compares each held-out pair with all training pairs.
   *
   * @param bos as in {@link EncodedExample#hasPrompt}
   */
  public static Overlap of(List<EncodedExample> training, List<EncodedExample> heldOut, int bos) {
    boolean[] samePair = new boolean[heldOut.size()];
    boolean[] samePrompt = new boolean[heldOut.size()];
    First pair =
        mark(training, heldOut, samePair, any -> true, Overlap::wholeHash, Overlap::isSame);
    First prompt =
        mark(
            training,
            heldOut,
            samePrompt,
            each -> each.hasPrompt(bos),
            Overlap::promptHash,
            Overlap::hasSamePrompt);
    int pairs = 0;
    int prompts = 0;
    for (int i = 0; i < samePair.length; i++) {
      pairs += samePair[i] ? 1 : 0;
      prompts += samePrompt[i] && !samePair[i] ? 1 : 0;
    }
    First first = pairs > 0 ? pair : prompt;
    return new Overlap(pairs, prompts, first.held(), first.trained());
  }

  private record First(@Nullable RowOrigin held, @Nullable RowOrigin trained) {}

  private interface Hash {
    int of(EncodedExample pair);
  }

  private interface Likeness {
    boolean of(EncodedExample a, EncodedExample b);
  }

  private static First mark(
      List<EncodedExample> training,
      List<EncodedExample> heldOut,
      boolean[] marks,
      Predicate<EncodedExample> compared,
      Hash hash,
      Likeness like) {
    FirstOccurrenceIndex seen = new FirstOccurrenceIndex(training.size() + 1);
    for (int i = 0; i < training.size(); i++) {
      EncodedExample pair = training.get(i);
      // Pairs without a prompt would share one hash, which would make the comparison quadratic.
      if (compared.test(pair)) {
        seen.findOrAdd(hash.of(pair), i, other -> like.of(pair, training.get(other)));
      }
    }
    First first = new First(null, null);
    for (int i = 0; i < marks.length; i++) {
      EncodedExample pair = heldOut.get(i);
      int found =
          compared.test(pair)
              ? seen.find(hash.of(pair), other -> like.of(pair, training.get(other)))
              : -1;
      marks[i] = found >= 0;
      if (found >= 0 && first.held() == null) {
        first = new First(pair.origin(), training.get(found).origin());
      }
    }
    return first;
  }

  private static int promptHash(EncodedExample pair) {
    return Arrays.hashCode(pair.promptIds());
  }

  private static boolean hasSamePrompt(EncodedExample a, EncodedExample b) {
    return Arrays.equals(a.promptIds(), b.promptIds());
  }

  private static int wholeHash(EncodedExample pair) {
    int hash = promptHash(pair);
    for (EncodedCompletion completion : pair.completions()) {
      hash = 31 * hash + Arrays.hashCode(completion.ids());
    }
    return hash;
  }

  private static boolean isSame(EncodedExample a, EncodedExample b) {
    return Arrays.equals(a.promptIds(), b.promptIds())
        && EncodedCompletion.sameIds(a.completions(), b.completions());
  }
}
