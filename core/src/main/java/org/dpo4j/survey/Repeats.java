package org.dpo4j.survey;

import java.util.Arrays;
import java.util.List;
import java.util.OptionalInt;
import org.dpo4j.encode.EncodedCompletion;
import org.dpo4j.encode.EncodedExample;
import org.jspecify.annotations.Nullable;

/**
 * Finds examples with the ids of an earlier one, with the same or the opposite preference. Keeps a
 * hash of 64 bits of each in a table, 16 to 32 bytes per example: among a million different
 * examples two have one hash with a probability of 3e-8.
 */
final class Repeats {

  /**
   * An earlier example with the same ids.
   *
   * @param opposite whether its preference, or its label, is the other one
   */
  record Earlier(int index, boolean opposite) {}

  private long[] keys = new long[1 << 10]; // 0 in a free slot
  private int[] values = new int[1 << 10]; // index, or ~index for a preference turned round
  private int size;

  /** The earlier example that this one repeats; without one the example is added. */
  @Nullable Earlier findOrAdd(EncodedExample example, int index) {
    List<EncodedCompletion> completions = example.completions();
    long prompt = Hashes.of(example.promptIds());
    long first = Hashes.of(completions.get(0).ids());
    long second = completions.size() > 1 ? Hashes.of(completions.get(1).ids()) : 0;
    boolean turned = example.isPair() ? first > second : !example.isDesirable();
    long key = Hashes.of(Hashes.of(prompt, Math.min(first, second)), Math.max(first, second));
    OptionalInt found = findOrAdd(key == 0 ? 1 : key, turned ? ~index : index);
    if (found.isEmpty()) {
      return null;
    }
    int value = found.getAsInt();
    return new Earlier(Math.max(value, ~value), value < 0 != turned);
  }

  private OptionalInt findOrAdd(long key, int value) {
    int slot = slot(key);
    if (keys[slot] != 0) {
      return OptionalInt.of(values[slot]);
    }
    keys[slot] = key;
    values[slot] = value;
    if (++size > keys.length / 4 * 3) {
      grow();
    }
    return OptionalInt.empty();
  }

  /** The slot of the key, or the free one for it. */
  private int slot(long key) {
    int mask = keys.length - 1;
    int slot = (int) key & mask;
    while (keys[slot] != 0 && keys[slot] != key) {
      slot = (slot + 1) & mask;
    }
    return slot;
  }

  private void grow() {
    long[] oldKeys = keys;
    int[] oldValues = values;
    keys = new long[2 * oldKeys.length];
    values = Arrays.copyOf(values, keys.length);
    for (int i = 0; i < oldKeys.length; i++) {
      if (oldKeys[i] != 0) {
        int slot = slot(oldKeys[i]);
        keys[slot] = oldKeys[i];
        values[slot] = oldValues[i];
      }
    }
  }
}
