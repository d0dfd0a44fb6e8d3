package org.dpo4j.survey;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.OptionalInt;
import java.util.Random;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

/**
 * Closes near-duplicates that are overlooked, and texts that are taken for one though they differ:
 * both are counted on texts whose similarity is known.
 */
class NearDuplicatesTest {
  private static final int TEXTS = 2_000; // more than the tables begin with, so that they grow
  private static final int WORDS = 100;

  @Test
  void textsWithAChangedWordAreFoundAndOthersAreNot() {
    Random random = new Random(1);
    NearDuplicates index = new NearDuplicates();
    List<List<String>> texts = new ArrayList<>();
    for (int i = 0; i < TEXTS; i++) {
      texts.add(words(random));
      assertThat(index.findOrAdd(List.of(text(texts.get(i))), i)).as("text %d", i).isEmpty();
    }
    int found = 0;
    int wrong = 0;
    for (int i = 0; i < TEXTS; i++) {
      // One word is in three of the 98 runs of three: similarity 95 / 101 = 0.94.
      OptionalInt one = index.findOrAdd(List.of(text(changed(texts.get(i), 1))), TEXTS + 2 * i);
      found += one.isPresent() && one.getAsInt() == i ? 1 : 0;
      // Twenty words far apart are in 60 of 98: similarity 38 / 158 = 0.24.
      wrong +=
          index.findOrAdd(List.of(text(changed(texts.get(i), 20))), TEXTS + 2 * i + 1).isPresent()
              ? 1
              : 0;
    }
    // Seen in a band with probability 1 - (1 - 0.94^5)^8 = 0.9999, estimated at 0.8 or more with
    // 0.9996 (binomial, 40 bytes).
    assertThat(found).isGreaterThan(TEXTS * 99 / 100);
    assertThat(wrong).isZero();
  }

  @Test
  void theOrderOfTextsCaseAndPunctuationDoNotMatter() {
    NearDuplicates index = new NearDuplicates();
    String answer = "Boil the egg for six minutes, then cool it.";
    String other = "Fry it until the white is firm and the yolk is not.";
    assertThat(index.findOrAdd(List.of(answer, other), 0)).isEmpty();
    assertThat(
            index.findOrAdd(List.of(other.toUpperCase(Locale.ROOT), answer.replace(",", " -")), 1))
        .hasValue(0);
  }

  @Test
  void aTextWithoutSpacesIsComparedByItsIdeographs() {
    NearDuplicates index = new NearDuplicates();
    String capital = "法国的首都是巴黎，它位于塞纳河畔，是欧洲最大的城市之一，也是艺术之都。";
    assertThat(index.findOrAdd(List.of(capital), 0)).isEmpty();
    assertThat(index.findOrAdd(List.of("德国的首都是柏林，人口约三百七十万，历史悠久。"), 1)).isEmpty();
    assertThat(index.findOrAdd(List.of(capital.replace("，", " ")), 2)).hasValue(0);
  }

  @Test
  void shortTextsDoNotAllLookAlike() {
    NearDuplicates index = new NearDuplicates();
    assertThat(index.findOrAdd(List.of("yes"), 0)).isEmpty();
    assertThat(index.findOrAdd(List.of("no"), 1)).isEmpty();
    assertThat(index.findOrAdd(List.of("not yes"), 2)).isEmpty();
    assertThat(index.findOrAdd(List.of("Yes!"), 3)).hasValue(0);
  }

  private static List<String> words(Random random) {
    return IntStream.range(0, WORDS).mapToObj(i -> "w" + random.nextInt(50_000)).toList();
  }

  private static List<String> changed(List<String> words, int count) {
    List<String> other = new ArrayList<>(words);
    for (int i = 0; i < count; i++) {
      int place = 2 + i * (WORDS - 4) / count;
      other.set(place, other.get(place) + "x");
    }
    return other;
  }

  private static String text(List<String> words) {
    return words.stream().collect(Collectors.joining(" "));
  }
}
