package org.dpo4j.jinja;

import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * A running {@code for} and its variable {@code loop}. A loop's condition is asked one item at a
 * time, because the body may change a namespace that the condition reads.
 */
final class Loop implements Value.LoopVariable {
  private final Statement.For statement;
  private final Scope scope;
  private final int depth0;
  private Iterator<Value> source;
  private boolean drained;
  private int length = -1;
  private int index0 = -1;
  private @Nullable Value current;
  private @Nullable Value previous;
  private @Nullable Value peeked;
  private @Nullable Args lastChanged;

  Loop(Statement.For statement, Scope scope, Value items, int depth0) {
    this.statement = statement;
    this.scope = scope;
    this.depth0 = depth0;
    this.source = Operators.iterator(items);
    if (statement.test() == null && !(items instanceof Value.Generator)) {
      length = Operators.length(items);
    }
  }

  Value current() {
    return java.util.Objects.requireNonNull(current);
  }

  boolean advance() {
    Value next = peek();
    peeked = null;
    if (next == null) {
      return false;
    }
    previous = current;
    current = next;
    index0++;
    return true;
  }

  private @Nullable Value peek() {
    while (peeked == null && source.hasNext()) {
      Value candidate = source.next();
      if (drained || statement.accepts(scope, candidate)) {
        peeked = candidate;
      }
    }
    return peeked;
  }

  @Override
  public int length() {
    if (length < 0) {
      List<Value> rest = new ArrayList<>();
      for (; peek() != null; peeked = null) {
        rest.add(java.util.Objects.requireNonNull(peeked));
      }
      length = index0 + 1 + rest.size();
      drained = true;
      source = rest.iterator();
    }
    return length;
  }

  @Override
  public @Nullable Value attribute(String name) {
    return switch (name) {
      case "index" -> Value.of(index0 + 1L);
      case "index0" -> Value.of((long) index0);
      case "revindex" -> Value.of((long) length() - index0);
      case "revindex0" -> Value.of(length() - index0 - 1L);
      case "first" -> Value.of(index0 == 0);
      case "last" -> Value.of(peek() == null);
      case "length" -> Value.of((long) length());
      case "depth" -> Value.of(depth0 + 1L);
      case "depth0" -> Value.of((long) depth0);
      case "previtem" -> neighbour(previous, "there is no previous item");
      case "nextitem" -> neighbour(peek(), "there is no next item");
      case "cycle" -> new Value.Function("cycle", (run, args) -> cycle(args));
      case "changed" -> new Value.Function("changed", (run, args) -> changed(args));
      default -> null;
    };
  }

  private static Value neighbour(@Nullable Value item, String hint) {
    return item == null ? new Value.Undefined(hint) : item;
  }

  private Value cycle(Args args) {
    if (args.positional().isEmpty()) {
      throw new TemplateException("loop.cycle() must be given items but was given none");
    }
    return args.positional().get(index0 % args.positional().size());
  }

  private Value changed(Args args) {
    boolean same = args.equals(lastChanged);
    lastChanged = args;
    return Value.of(!same);
  }

  @Override
  public Value recurse(Run run, Args args) {
    if (!statement.recursive()) {
      throw new TemplateException("a loop must be marked 'recursive' to be called but is not");
    }
    TextBuffer out = new TextBuffer();
    statement.render(args.bind("loop", 1, "iterable").value("iterable"), scope, out, depth0 + 1);
    return run.made(Value.of(out.toString()));
  }
}
