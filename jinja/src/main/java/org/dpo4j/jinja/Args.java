package org.dpo4j.jinja;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** The arguments of a call, before they are matched with parameters. */
record Args(List<Value> positional, Map<String, Value> named) {
  static final Args NONE = new Args(List.of(), Map.of());

  static Args of(Value... positional) {
    return new Args(List.of(positional), Map.of());
  }

  /** These arguments without the first {@code count} positional ones. */
  Args from(int count) {
    return new Args(positional.subList(count, positional.size()), named);
  }

  /**
   * Matches the arguments with parameters as Python does.
   *
   * @param required how many of the parameters must be given
   */
  Bound bind(String callee, int required, String... parameters) {
    if (positional.size() > parameters.length) {
      throw new TemplateException(
          callee + "() takes at most " + parameters.length + " arguments but got " + count());
    }
    Map<String, Value> bound = new LinkedHashMap<>(named);
    for (int i = 0; i < parameters.length; i++) {
      if (i < positional.size() && bound.put(parameters[i], positional.get(i)) != null) {
        throw new TemplateException(callee + "() got two values for '" + parameters[i] + "'");
      } else if (i < required && !bound.containsKey(parameters[i])) {
        throw new TemplateException(callee + "() misses the argument '" + parameters[i] + "'");
      }
    }
    List<String> known = List.of(parameters);
    for (String name : named.keySet()) {
      if (!known.contains(name)) {
        throw new TemplateException(
            callee + "() got an unexpected keyword argument '" + name + "'");
      }
    }
    return new Bound(callee, bound);
  }

  private int count() {
    return positional.size() + named.size();
  }

  /** Arguments by parameter name. */
  record Bound(String callee, Map<String, Value> values) {
    boolean has(String name) {
      return values.containsKey(name);
    }

    Value value(String name, Value otherwise) {
      return values.getOrDefault(name, otherwise);
    }

    Value value(String name) {
      Value value = values.get(name);
      if (value == null) {
        throw new TemplateException(callee + "() misses the argument '" + name + "'");
      }
      return value;
    }

    /** The argument as a string; null where it is absent or none. */
    @Nullable String text(String name) {
      Value value = values.getOrDefault(name, Values.NONE);
      if (value instanceof Value.Str string) {
        return string.text();
      } else if (value == Values.NONE) {
        return null;
      }
      throw wrong(name, "a string", value);
    }

    String text(String name, String otherwise) {
      String text = text(name);
      return text == null ? otherwise : text;
    }

    long integer(String name, long otherwise) {
      Value value = values.getOrDefault(name, Values.NONE);
      if (value == Values.NONE) {
        return otherwise;
      } else if (value instanceof Value.Int number) {
        return number.number();
      } else if (value instanceof Value.Bool flag) {
        return flag.flag() ? 1 : 0;
      }
      throw wrong(name, "an integer", value);
    }

    boolean truth(String name) {
      return values.getOrDefault(name, Values.FALSE).truth();
    }

    private TemplateException wrong(String name, String rule, Value value) {
      if (value instanceof Value.Undefined undefined) {
        return undefined.fault();
      }
      return new TemplateException(
          callee + "(): '" + name + "' must be " + rule + " but was of type " + value.type());
    }
  }
}
