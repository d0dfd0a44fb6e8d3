package org.dpo4j.encode;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.HashMap;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * Closes pairs of one prompt that a table of hashes takes for different, or the other way round.
 */
class FirstOccurrenceIndexTest {

  @ParameterizedTest
  @CsvSource({"1,1,1", "50,50,3", "3000,200,1", "3000,4000,17", "3000,100000,2000000000"})
  void theFirstLikeEachIsThatOfAMap(int things, int kinds, int hashes) {
    Random random = new Random(things);
    FirstOccurrenceIndex seen = new FirstOccurrenceIndex(things);
    for (int round = 0; round < 2; round++) {
      int[] kind = random.ints(things, 0, kinds).toArray();
      Map<Integer, Integer> first = new HashMap<>();
      for (int i = 0; i < things; i++) {
        int thing = i;
        int expected = first.computeIfAbsent(kind[i], key -> thing);
        int found = seen.findOrAdd(kind[i] * 31 % hashes, i, other -> kind[other] == kind[thing]);
        assertThat(found).isEqualTo(expected);
      }
      seen.clear();
    }
  }
}
