package org.dpo4j.jinja;

/**
 * The bounds that keep a hostile template from exhausting time, memory or the stack. They are far
 * above what a real conversation needs.
 */
final class Limits {
  /** Characters of a template. */
  static final int SOURCE = 1 << 20;

  /** Nested expressions and tags in the source. */
  static final int PARSE_DEPTH = 100;

  /** Nested evaluations, macro calls included. */
  static final int RENDER_DEPTH = 400;

  /** Evaluated expressions and tags of one rendering. */
  static final long STEPS = 20_000_000;

  /** Characters in one text, the output included. */
  static final int TEXT = 16 << 20;

  /** Elements of one list. */
  static final int ITEMS = 1_000_000;

  /** Elements of a range, as Jinja's sandbox has it. */
  static final int RANGE = 100_000;

  /** Nesting of lists and dicts. */
  static final int VALUE_DEPTH = 200;

  /** Characters and elements in one value, shared parts counted each time. */
  static final long WEIGHT = 64L << 20;

  /** Characters that one rendering may produce in all, intermediate texts included. */
  static final long ALLOCATION = 512L << 20;

  /** Elements of a tuple that is a dict's key. */
  static final int KEY_WEIGHT = 10_000;

  private Limits() {}

  /** Refuses a text before it is built. */
  static void text(long characters) {
    check("text", characters, TEXT, "characters");
  }

  static void items(long count) {
    check("list", count, ITEMS, "elements");
  }

  static void check(String what, long found, long limit, String unit) {
    if (found > limit) {
      throw new TemplateException(
          what + " must have at most " + limit + " " + unit + " but was to have " + found);
    }
  }
}
