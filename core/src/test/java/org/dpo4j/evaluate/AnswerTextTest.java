package org.dpo4j.evaluate;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.util.List;
import java.util.Random;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.dpo4j.evaluate.AnswerText.Change;
import org.dpo4j.evaluate.AnswerText.Piece;
import org.junit.jupiter.api.Test;

/** Closes: a difference from which the two texts cannot be told, and repetition that is not one. */
class AnswerTextTest {

  @Test
  void thePiecesAreBothTexts() {
    Random random = new Random(1);
    for (int i = 0; i < 300; i++) {
      String before = text(random);
      String after = text(random);
      List<Piece> pieces = AnswerText.of(before).changesTo(AnswerText.of(after));
      assertThat(without(pieces, Change.ADDED)).isEqualTo(before);
      assertThat(without(pieces, Change.REMOVED)).isEqualTo(after);
    }
  }

  private static String text(Random random) {
    return IntStream.range(0, random.nextInt(9))
        .mapToObj(i -> "abc".charAt(random.nextInt(3)) + (random.nextInt(5) == 0 ? "\n " : " "))
        .collect(Collectors.joining());
  }

  private static String without(List<Piece> pieces, Change change) {
    return pieces.stream()
        .filter(piece -> piece.change() != change)
        .map(Piece::text)
        .collect(Collectors.joining());
  }

  @Test
  void wordsAreComparedWhole() {
    assertThat(AnswerText.of("the red cat").changesTo(AnswerText.of("the blue cat")))
        .containsExactly(
            new Piece(Change.SAME, "the"),
            new Piece(Change.REMOVED, " red"),
            new Piece(Change.ADDED, " blue"),
            new Piece(Change.SAME, " cat"));
  }

  @Test
  void repetitionIsTheShareOfSequencesThatOccurredBefore() {
    assertThat(AnswerText.of("").repetition()).isZero();
    assertThat(AnswerText.of("one two three").repetition()).isZero();
    assertThat(AnswerText.of("a b c d e f g h").repetition()).isZero();
    assertThat(AnswerText.of("a a a a a a a a").repetition()).isCloseTo(0.8, within(1e-12));
    assertThat(AnswerText.of("a b c d\na b c d").repetition()).isCloseTo(0.2, within(1e-12));
  }
}
