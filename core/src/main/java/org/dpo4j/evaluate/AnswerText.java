package org.dpo4j.evaluate;

import com.github.difflib.DiffUtils;
import com.github.difflib.patch.AbstractDelta;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Set;

/**
 * The words of an answer.
 *
 * @param words with the white space before each, so that they make up the text
 */
public record AnswerText(List<String> words) {

  private static final int GRAM = 4;

  /** What became of a piece of a text. */
  public enum Change {
    SAME,
    REMOVED,
    ADDED
  }

  /** A run of words. */
  public record Piece(Change change, String text) {}

  public AnswerText {
    words = List.copyOf(words);
  }

  /** Splits a text before each white space that follows a word. */
  public static AnswerText of(String text) {
    return new AnswerText(
        text.isEmpty() ? List.of() : Arrays.asList(text.split("(?<=\\S)(?=\\s)", -1)));
  }

  /**
   * The share of sequences of {@value #GRAM} words that occurred before in the text; 0 for texts
   * that are too short to repeat one.
   */
  public double repetition() {
    int grams = words.size() - GRAM + 1;
    if (grams < 1) {
      return 0;
    }
    Set<List<String>> distinct = new HashSet<>();
    List<String> plain = words.stream().map(String::strip).toList();
    for (int i = 0; i < grams; i++) {
      distinct.add(plain.subList(i, i + GRAM));
    }
    return 1 - (double) distinct.size() / grams;
  }

  /** The pieces that turn this text into another, in order, by Myers' algorithm. */
  public List<Piece> changesTo(AnswerText other) {
    List<Piece> pieces = new ArrayList<>();
    int at = 0;
    for (AbstractDelta<String> delta : DiffUtils.diff(words, other.words).getDeltas()) {
      add(pieces, Change.SAME, words.subList(at, delta.getSource().getPosition()));
      add(pieces, Change.REMOVED, delta.getSource().getLines());
      add(pieces, Change.ADDED, delta.getTarget().getLines());
      at = delta.getSource().getPosition() + delta.getSource().size();
    }
    add(pieces, Change.SAME, words.subList(at, words.size()));
    return pieces;
  }

  private static void add(List<Piece> pieces, Change change, List<String> words) {
    if (!words.isEmpty()) {
      pieces.add(new Piece(change, String.join("", words)));
    }
  }
}
