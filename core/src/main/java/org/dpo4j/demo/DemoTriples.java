package org.dpo4j.demo;

import java.util.List;
import org.dpo4j.data.PreferencePair;
import org.dpo4j.data.RowOrigin;

/**
 * The twelve built-in triples of the demo: a question, a short right answer, and a wordy, vague or
 * wrong one.
 */
public final class DemoTriples {
  private static final List<PreferencePair.Text> ALL =
      List.of(
          triple(
              1,
              "What is the capital of Norway?",
              "Oslo.",
              "Norway has fjords and several fine towns, and Oslo is one of these."),
          triple(
              2,
              "What is the capital of Kenya?",
              "Nairobi.",
              "Kenya lies on the equator; you may be thinking of Mombasa."),
          triple(
              3,
              "What is the capital of Peru?",
              "Lima.",
              "That would be one of the larger cities near the coast of Peru."),
          triple(
              4,
              "Compute 4 + 9.",
              "13.",
              "Adding four to nine gives you a number a little above twelve."),
          triple(5, "Compute 6 * 8.", "48.", "Six times eight is close to fifty, give or take."),
          triple(
              6,
              "Compute 45 / 5.",
              "9.",
              "Forty five shared by five leaves everybody with about ten."),
          triple(
              7,
              "List three metals.",
              "iron, copper, tin.",
              "There are so many metals, and iron comes to mind, then maybe others."),
          triple(
              8,
              "List three planets.",
              "Mars, Venus, Earth.",
              "Planets go round the sun, and there are eight of them at present."),
          triple(
              9,
              "Define array.",
              "a sequence of values under one index.",
              "An array is one of those things in which people put other things."),
          triple(
              10,
              "Define loop.",
              "code that repeats until a condition ends it.",
              "A loop is when it goes round and round, basically, for a while."),
          triple(
              11,
              "Python: print hello.",
              "print('hello')",
              "You could write some code which shows a greeting on the screen."),
          triple(
              12,
              "Python: length of xs.",
              "len(xs)",
              "Count all of the items of the list one by one and keep a tally."));

  private DemoTriples() {}

  /** All twelve, in the order of training. */
  public static List<PreferencePair.Text> all() {
    return ALL;
  }

  private static PreferencePair.Text triple(
      int row, String prompt, String chosen, String rejected) {
    return new PreferencePair.Text(
        new RowOrigin("built-in triples", 0, row), prompt, chosen, rejected);
  }
}
