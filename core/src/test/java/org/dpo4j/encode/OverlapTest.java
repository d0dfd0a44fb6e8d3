package org.dpo4j.encode;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.List;
import org.dpo4j.data.RowOrigin;
import org.junit.jupiter.api.Test;

/** Closes an evaluation that is called held-out and was trained on. */
class OverlapTest {

  @Test
  void pairsThatAreTrainedOnAreCountedAndTheOthersWithTheirPrompt() {
    List<EncodedPair> training =
        List.of(
            pair("t", 1, "a", "b", "c"), pair("t", 2, "d", "e", "f"), pair("t", 3, "", "g", "h"));
    List<EncodedPair> held =
        List.of(
            pair("h", 1, "x", "e", "f"),
            pair("h", 2, "d", "e", "g"), // the prompt of t:2
            pair("h", 3, "d", "e", "f"), // t:2
            pair("h", 4, "", "g", "i"), // no prompt is no shared prompt
            pair("h", 5, "", "g", "h"), // t:3
            pair("h", 6, "d", "e", "f"));
    assertThat(Overlap.of(training, held))
        .isEqualTo(new Overlap(3, 1, new RowOrigin("h", 3, 3), new RowOrigin("t", 2, 2)));
  }

  @Test
  void aPromptAloneNamesItsFirstRow() {
    Overlap overlap =
        Overlap.of(List.of(pair("t", 1, "a", "b", "c")), List.of(pair("h", 1, "a", "c", "b")));
    assertThat(overlap)
        .isEqualTo(new Overlap(0, 1, new RowOrigin("h", 1, 1), new RowOrigin("t", 1, 1)));
  }

  @Test
  void aFileIsWhollyInItselfAndNothingIsInAnotherOne() {
    List<EncodedPair> one = new ArrayList<>();
    List<EncodedPair> other = new ArrayList<>();
    for (int i = 0; i < 500; i++) {
      one.add(pair("t", i, "p" + i, "w", "l"));
      other.add(pair("h", i, "q" + i, "w", "l"));
    }
    assertThat(Overlap.of(one, one).pairs()).isEqualTo(500);
    assertThat(Overlap.of(one, other)).isEqualTo(new Overlap(0, 0, null, null));
  }

  private static EncodedPair pair(String file, int line, String prompt, String w, String l) {
    return new EncodedPair(
        new RowOrigin(file, line, line),
        prompt.chars().toArray(),
        w.chars().toArray(),
        l.chars().toArray());
  }
}
