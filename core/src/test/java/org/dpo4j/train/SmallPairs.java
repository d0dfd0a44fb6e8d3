package org.dpo4j.train;

import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.stream.IntStream;
import org.dpo4j.data.RowOrigin;
import org.dpo4j.encode.EncodedExample;
import org.dpo4j.model.SmallModel;

/** Random pairs for small models: prompts of 1 to 9 tokens, completions of 1 to 7. */
public final class SmallPairs {

  private SmallPairs() {}

  public static List<EncodedExample> random(int count, long seed) {
    Random random = new Random(seed);
    List<EncodedExample> pairs = new ArrayList<>();
    for (int row = 1; row <= count; row++) {
      pairs.add(
          new EncodedExample(
              new RowOrigin("pairs.jsonl", row, row),
              ids(random, 1 + random.nextInt(9)),
              ids(random, 1 + random.nextInt(7)),
              ids(random, 1 + random.nextInt(7))));
    }
    return pairs;
  }

  /** Some of the pairs, by index. */
  public static List<EncodedExample> some(List<EncodedExample> pairs, int... indices) {
    return IntStream.of(indices).mapToObj(pairs::get).toList();
  }

  private static int[] ids(Random random, int length) {
    return random.ints(length, 0, SmallModel.VOCABULARY).toArray();
  }
}
