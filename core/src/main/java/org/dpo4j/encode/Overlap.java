package org.dpo4j.encode;

import java.util.Arrays;
import java.util.List;
import java.util.function.Predicate;
import org.dpo4j.data.RowOrigin;
import org.jspecify.annotations.Nullable;

/**
 * Held-out examples that are also trained on. Examples are compared on disk by their ids after
 * truncation; counting takes 11 bytes of memory per training example.
 *
 * @param examples held-out examples that are equal to one of training
 * @param prompts further held-out examples that share the prompt of one of training; examples
 *     without a prompt share none
 * @param held the first held-out example that is equal to one of training or, failing that, shares
 *     a prompt; or null
 * @param trained the training example that it matches, or null
 */
public record Overlap(
    int examples, int prompts, @Nullable RowOrigin held, @Nullable RowOrigin trained) {

  /**
   * Compares each held-out example with all of training.
   *
   * @param bos as in {@link EncodedExample#hasPrompt}
   */
  public static Overlap of(List<EncodedExample> training, List<EncodedExample> heldOut, int bos) {
    boolean[] same = new boolean[heldOut.size()];
    boolean[] samePrompt = new boolean[heldOut.size()];
    First whole = mark(training, heldOut, same, any -> true, Overlap::wholeHash, Overlap::isSame);
    First prompt =
        mark(
            training,
            heldOut,
            samePrompt,
            each -> each.hasPrompt(bos),
            Overlap::promptHash,
            Overlap::hasSamePrompt);
    int examples = 0;
    int prompts = 0;
    for (int i = 0; i < same.length; i++) {
      examples += same[i] ? 1 : 0;
      prompts += samePrompt[i] && !same[i] ? 1 : 0;
    }
    First first = examples > 0 ? whole : prompt;
    return new Overlap(examples, prompts, first.held(), first.trained());
  }

  private record First(@Nullable RowOrigin held, @Nullable RowOrigin trained) {}

  private interface Hash {
    int of(EncodedExample example);
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
      EncodedExample example = training.get(i);
      // Examples without a prompt would share one hash, which would make the comparison quadratic.
      if (compared.test(example)) {
        seen.findOrAdd(hash.of(example), i, other -> like.of(example, training.get(other)));
      }
    }
    First first = new First(null, null);
    for (int i = 0; i < marks.length; i++) {
      EncodedExample example = heldOut.get(i);
      int found =
          compared.test(example)
              ? seen.find(hash.of(example), other -> like.of(example, training.get(other)))
              : -1;
      marks[i] = found >= 0;
      if (found >= 0 && first.held() == null) {
        first = new First(example.origin(), training.get(found).origin());
      }
    }
    return first;
  }

  private static int promptHash(EncodedExample example) {
    return Arrays.hashCode(example.promptIds());
  }

  private static boolean hasSamePrompt(EncodedExample a, EncodedExample b) {
    return Arrays.equals(a.promptIds(), b.promptIds());
  }

  private static int wholeHash(EncodedExample example) {
    int hash = promptHash(example);
    for (EncodedCompletion completion : example.completions()) {
      hash = 31 * hash + Arrays.hashCode(completion.ids());
    }
    return hash;
  }

  private static boolean isSame(EncodedExample a, EncodedExample b) {
    return Arrays.equals(a.promptIds(), b.promptIds())
        && EncodedCompletion.sameIds(a.completions(), b.completions());
  }
}
