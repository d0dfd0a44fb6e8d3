package org.dpo4j.jinja;

import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** A piece of a template that writes text or changes names. */
sealed interface Statement {
  /** How a statement ended. */
  enum Flow {
    NEXT,
    BREAK,
    CONTINUE
  }

  /** 1-based line of the source. */
  int line();

  /** Does it; call {@link #executeAll} instead, which counts and adds places to faults. */
  Flow execute(Scope scope, TextBuffer out);

  static Flow executeAll(List<Statement> statements, Scope scope, TextBuffer out) {
    for (Statement statement : statements) {
      scope.run().enter();
      try {
        Flow flow = statement.execute(scope, out);
        if (flow != Flow.NEXT) {
          scope.run().leave();
          return flow;
        }
      } catch (TemplateException fault) {
        throw fault.at(scope.run().origin(), statement.line());
      }
      scope.run().leave();
    }
    return Flow.NEXT;
  }

  private static Value.Str captured(List<Statement> body, Scope scope) {
    TextBuffer text = new TextBuffer();
    executeAll(body, scope.inner(), text);
    Value.Str value = Value.of(text.toString());
    scope.run().made(value);
    return value;
  }

  /** The filters of a block applied to the text of its body. */
  private static Value filtered(Expr filter, List<Statement> body, Scope scope) {
    Scope inner = scope.inner();
    inner.set(Expr.Captured.NAME, captured(body, scope));
    return filter.eval(inner);
  }

  record Text(int line, String text) implements Statement {
    @Override
    public Flow execute(Scope scope, TextBuffer out) {
      out.append(text);
      return Flow.NEXT;
    }
  }

  record Print(int line, Expr value) implements Statement {
    @Override
    public Flow execute(Scope scope, TextBuffer out) {
      out.append(Repr.text(value.eval(scope)));
      return Flow.NEXT;
    }
  }

  record Branch(Expr test, List<Statement> body) {}

  record If(int line, List<Branch> branches, List<Statement> otherwise) implements Statement {
    @Override
    public Flow execute(Scope scope, TextBuffer out) {
      for (Branch branch : branches) {
        if (branch.test().eval(scope).truth()) {
          return executeAll(branch.body(), scope, out);
        }
      }
      return executeAll(otherwise, scope, out);
    }
  }

  record For(
      int line,
      Target target,
      Expr iterable,
      @Nullable Expr test,
      boolean recursive,
      List<Statement> body,
      List<Statement> otherwise)
      implements Statement {
    @Override
    public Flow execute(Scope scope, TextBuffer out) {
      render(iterable.eval(scope), scope, out, 0);
      return Flow.NEXT;
    }

    /**
     * @param depth0 how many loops of this statement are around this one
     */
    void render(Value items, Scope scope, TextBuffer out, int depth0) {
      Loop loop = new Loop(this, scope, items, depth0);
      boolean empty = true;
      while (loop.advance()) {
        empty = false;
        scope.run().steps(4);
        Scope inner = scope.inner();
        target.assign(inner, loop.current());
        inner.set("loop", loop);
        if (executeAll(body, inner, out) == Flow.BREAK) {
          break;
        }
      }
      if (empty) {
        executeAll(otherwise, scope.inner(), out);
      }
    }

    /** Whether the loop's own condition lets the item through. */
    boolean accepts(Scope scope, Value item) {
      if (test == null) {
        return true;
      }
      Scope inner = scope.inner();
      target.assign(inner, item);
      return test.eval(inner).truth();
    }
  }

  record Set(int line, Target target, Expr value) implements Statement {
    @Override
    public Flow execute(Scope scope, TextBuffer out) {
      target.assign(scope, value.eval(scope));
      return Flow.NEXT;
    }
  }

  record SetBlock(int line, Target target, Expr filter, List<Statement> body) implements Statement {
    @Override
    public Flow execute(Scope scope, TextBuffer out) {
      target.assign(scope, filtered(filter, body, scope));
      return Flow.NEXT;
    }
  }

  record Filtered(int line, Expr filter, List<Statement> body) implements Statement {
    @Override
    public Flow execute(Scope scope, TextBuffer out) {
      out.append(Repr.text(filtered(filter, body, scope)));
      return Flow.NEXT;
    }
  }

  record Macro(int line, MacroDefinition definition) implements Statement {
    @Override
    public Flow execute(Scope scope, TextBuffer out) {
      scope.set(definition.name(), definition.in(scope));
      return Flow.NEXT;
    }
  }

  record CallBlock(int line, Expr.Call call, MacroDefinition caller) implements Statement {
    @Override
    public Flow execute(Scope scope, TextBuffer out) {
      out.append(Repr.text(call.withCaller(scope, caller.in(scope))));
      return Flow.NEXT;
    }
  }

  /** What the model writes: {@code generation}, a tag of transformers. */
  record Generation(int line, List<Statement> body) implements Statement {
    @Override
    public Flow execute(Scope scope, TextBuffer out) {
      int start = out.length();
      Flow flow = executeAll(body, scope.inner(), out);
      scope.run().generated(out, start);
      return flow;
    }
  }

  /** A body whose names stay inside: {@code block}. */
  record Scoped(int line, List<Statement> body) implements Statement {
    @Override
    public Flow execute(Scope scope, TextBuffer out) {
      return executeAll(body, scope.inner(), out);
    }
  }

  record With(int line, List<Target> targets, List<Expr> values, List<Statement> body)
      implements Statement {
    @Override
    public Flow execute(Scope scope, TextBuffer out) {
      List<Value> computed = new ArrayList<>();
      for (Expr value : values) {
        computed.add(value.eval(scope));
      }
      Scope inner = scope.inner();
      for (int i = 0; i < targets.size(); i++) {
        targets.get(i).assign(inner, computed.get(i));
      }
      return executeAll(body, inner, out);
    }
  }

  record Jump(int line, Flow flow) implements Statement {
    @Override
    public Flow execute(Scope scope, TextBuffer out) {
      return flow;
    }
  }
}
