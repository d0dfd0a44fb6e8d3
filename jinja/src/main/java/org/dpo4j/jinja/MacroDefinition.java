package org.dpo4j.jinja;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * A macro, or the body of a call block.
 *
 * @param names the names that the body reads: arguments beyond the parameters are refused unless it
 *     reads {@code varargs}, {@code kwargs} or {@code caller}
 */
record MacroDefinition(
    String name, List<Parameter> parameters, Set<String> names, List<Statement> body) {

  record Parameter(String name, @Nullable Expr otherwise) {}

  /** The macro as a value that sees the names of {@code scope}, also those set later. */
  Value.Function in(Scope scope) {
    return new Value.Function(name, (run, args) -> call(scope.inner(), args));
  }

  private Value call(Scope scope, Args args) {
    Map<String, Value> named = new LinkedHashMap<>(args.named());
    int position = 0;
    for (Parameter parameter : parameters) {
      Value value =
          position < args.positional().size()
              ? args.positional().get(position)
              : named.remove(parameter.name());
      position++;
      if (value == null) {
        value =
            parameter.otherwise() == null
                ? new Value.Undefined("parameter '" + parameter.name() + "' was not provided")
                : parameter.otherwise().eval(scope);
      }
      scope.set(parameter.name(), value);
    }
    extras(scope, args, named);
    TextBuffer out = new TextBuffer();
    Statement.executeAll(body, scope, out);
    return scope.run().made(Value.of(out.toString()));
  }

  private void extras(Scope scope, Args args, Map<String, Value> named) {
    boolean callerIsParameter = parameters.stream().anyMatch(p -> p.name().equals("caller"));
    if (names.contains("caller") && !callerIsParameter) {
      Value caller = named.remove("caller");
      scope.set("caller", caller == null ? new Value.Undefined("No caller defined") : caller);
    }
    if (names.contains("kwargs")) {
      Map<Value, Value> entries = new LinkedHashMap<>();
      named.forEach((key, value) -> entries.put(Value.of(key), value));
      scope.set("kwargs", new Dict(entries));
    } else if (!named.isEmpty()) {
      throw new TemplateException(
          "macro '"
              + name
              + "' takes no keyword argument '"
              + named.keySet().iterator().next()
              + "'");
    }
    int given = args.positional().size();
    if (names.contains("varargs")) {
      List<Value> rest =
          new ArrayList<>(args.positional().subList(Math.min(given, parameters.size()), given));
      scope.set("varargs", new Seq(Seq.Kind.TUPLE, rest));
    } else if (given > parameters.size()) {
      throw new TemplateException(
          "macro '" + name + "' takes not more than " + parameters.size() + " argument(s)");
    }
  }
}
