package org.dpo4j.jinja;

import java.util.ArrayList;
import java.util.List;

/** What one rendering has spent of its bounds. Not for several threads. */
final class Run {
  private final String origin;
  private final TextBuffer out;
  private final List<Rendering.Span> generated = new ArrayList<>();
  private long steps;
  private long allocated;
  private int depth;

  Run(String origin, TextBuffer out) {
    this.origin = origin;
    this.out = out;
  }

  /** Records what was written since a position, unless it goes into a value instead of the text. */
  void generated(TextBuffer to, int start) {
    if (to == out && to.length() > start) { // the same buffer, not an equal one
      generated.add(new Rendering.Span(start, to.length()));
    }
  }

  /** Parts of the text from {@code generation} blocks. */
  List<Rendering.Span> generated() {
    return generated;
  }

  /** The template's name in error messages. */
  String origin() {
    return origin;
  }

  /** Counts one step, one level deeper; every enter has its {@link #leave}. */
  void enter() {
    steps(1);
    if (++depth > Limits.RENDER_DEPTH) {
      throw new TemplateException(
          "evaluation must nest at most "
              + Limits.RENDER_DEPTH
              + " deep but goes deeper; look for a macro that calls itself without end");
    }
  }

  void leave() {
    depth--;
  }

  /** Counts work that is not one evaluation, as the elements that a filter walks over. */
  void steps(long count) {
    steps += count;
    if (steps > Limits.STEPS) {
      throw new TemplateException(
          "rendering must end within " + Limits.STEPS + " steps but did not");
    }
  }

  /** Counts the work of reading through a value once. */
  void read(Value value) {
    steps(value.size() / 64);
  }

  /** Counts a newly made value against the memory bound and returns it. */
  Value made(Value value) {
    allocated += value.size();
    if (allocated > Limits.ALLOCATION) {
      throw new TemplateException(
          "rendering must produce at most " + Limits.ALLOCATION + " characters but produced more");
    }
    return value;
  }
}
