package org.dpo4j.jinja;

import java.util.Collections;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** A dict in insertion order. Templates cannot change one, only make new ones. */
final class Dict implements Value {
  final Map<Value, Value> entries;
  private final long weight;
  private final int depth;

  Dict(Map<Value, Value> entries) {
    Limits.items(entries.size());
    this.entries = Collections.unmodifiableMap(entries);
    this.weight = Seq.weightOf(entries.keySet()) + Seq.weightOf(entries.values());
    this.depth = Math.max(Seq.depthOf(entries.keySet()), Seq.depthOf(entries.values()));
  }

  @Override
  public String type() {
    return "dict";
  }

  @Override
  public boolean truth() {
    return !entries.isEmpty();
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
    return 64 + 96L * entries.size();
  }

  @Override
  public boolean equals(@Nullable Object other) {
    return other instanceof Dict dict && dict.entries.equals(entries);
  }

  @Override
  public int hashCode() {
    return entries.hashCode();
  }
}
