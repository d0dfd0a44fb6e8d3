package org.dpo4j.jinja;

import java.util.Collections;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** A list, a tuple, a range or one of a dict's views. */
final class Seq implements Value {
  enum Kind {
    LIST("list"),
    TUPLE("tuple"),
    RANGE("range"),
    KEYS("dict_keys"),
    VALUES("dict_values"),
    ITEMS("dict_items");

    final String type;

    Kind(String type) {
      this.type = type;
    }

    boolean hasIndexes() {
      return this == LIST || this == TUPLE || this == RANGE;
    }
  }

  final Kind kind;
  final List<Value> items;
  private final long weight;
  private final int depth;

  Seq(Kind kind, List<Value> items) {
    Limits.items(items.size());
    this.kind = kind;
    this.items = Collections.unmodifiableList(items);
    this.weight = weightOf(items);
    this.depth = depthOf(items);
  }

  static long weightOf(Iterable<Value> items) {
    long weight = 1;
    for (Value item : items) {
      weight += item.weight();
      Limits.check("value", weight, Limits.WEIGHT, "characters and elements");
    }
    return weight;
  }

  static int depthOf(Iterable<Value> items) {
    int depth = 0;
    for (Value item : items) {
      depth = Math.max(depth, item.depth());
    }
    Limits.check("value", depth + 1, Limits.VALUE_DEPTH, "levels");
    return depth + 1;
  }

  @Override
  public String type() {
    return kind.type;
  }

  @Override
  public boolean truth() {
    return !items.isEmpty();
  }

  @Override
  public long weight() {
    return weight;
  }

  @Override
  public int depth() {
    return depth;
  }

  @Override
  public long size() {
    return 48 + 48L * items.size();
  }

  @Override
  public boolean equals(@Nullable Object other) {
    return other instanceof Seq seq && seq.kind == kind && seq.items.equals(items);
  }

  @Override
  public int hashCode() {
    return items.hashCode();
  }
}
