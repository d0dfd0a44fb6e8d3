package org.dpo4j.jinja;

import java.util.List;

/** What a value is assigned to. */
sealed interface Target {
  void assign(Scope scope, Value value);

  record Name(String name) implements Target {
    @Override
    public void assign(Scope scope, Value value) {
      scope.set(name, value);
    }
  }

  record Attribute(String namespace, String name) implements Target {
    @Override
    public void assign(Scope scope, Value value) {
      if (!(scope.get(namespace) instanceof Value.Namespace target)) {
        throw new TemplateException("cannot assign attribute on non-namespace object");
      }
      target.set(name, value);
    }
  }

  record Unpacked(List<Target> targets) implements Target {
    @Override
    public void assign(Scope scope, Value value) {
      List<Value> items = Operators.iterate(value);
      if (items.size() != targets.size()) {
        throw new TemplateException(
            "expected " + targets.size() + " values to unpack but got " + items.size());
      }
      for (int i = 0; i < items.size(); i++) {
        targets.get(i).assign(scope, items.get(i));
      }
    }
  }
}
