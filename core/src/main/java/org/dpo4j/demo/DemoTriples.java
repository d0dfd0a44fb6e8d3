package org.dpo4j.demo;

import java.util.List;

/**
 * The twelve built-in triples of the demo: a question, a short right answer, and a wordy, vague or
 * wrong one.
 */
public final class DemoTriples {
  private static final List<PreferenceTriple> ALL =
      List.of(
          new PreferenceTriple(
              "What is the capital of Norway?",
              "Oslo.",
              "Norway has fjords and several fine towns, and Oslo is one of these."),
          new PreferenceTriple(
              "What is the capital of Kenya?",
              "Nairobi.",
              "Kenya lies on the equator; you may be thinking of Mombasa."),
          new PreferenceTriple(
              "What is the capital of Peru?",
              "Lima.",
              "That would be one of the larger cities near the coast of Peru."),
          new PreferenceTriple(
              "Compute 4 + 9.",
              "13.",
              "Adding four to nine gives you a number a little above twelve."),
          new PreferenceTriple(
              "Compute 6 * 8.", "48.", "Six times eight is close to fifty, give or take."),
          new PreferenceTriple(
              "Compute 45 / 5.",
              "9.",
              "Forty five shared by five leaves everybody with about ten."),
          new PreferenceTriple(
              "List three metals.",
              "iron, copper, tin.",
              "There are so many metals, and iron comes to mind, then maybe others."),
          new PreferenceTriple(
              "List three planets.",
              "Mars, Venus, Earth.",
              "Planets go round the sun, and there are eight of them at present."),
          new PreferenceTriple(
              "Define array.",
              "a sequence of values under one index.",
              "An array is one of those things in which people put other things."),
          new PreferenceTriple(
              "Define loop.",
              "code that repeats until a condition ends it.",
              "A loop is when it goes round and round, basically, for a while."),
          new PreferenceTriple(
              "Python: print hello.",
              "print('hello')",
              "You could write some code which shows a greeting on the screen."),
          new PreferenceTriple(
              "Python: length of xs.",
              "len(xs)",
              "Count all of the items of the list one by one and keep a tally."));

  private DemoTriples() {}

  /** All twelve, in training order. */
  public static List<PreferenceTriple> all() {
    return ALL;
  }
}
