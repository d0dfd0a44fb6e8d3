package org.dpo4j.jinja;

import java.util.HashMap;
import java.util.Map;
import java.util.function.UnaryOperator;
import org.jspecify.annotations.Nullable;

/** A parsed template. Immutable; may render in several threads at once. */
public final class Template {
  private final String origin;
  private final Parser.Parsed parsed;

  private Template(String origin, Parser.Parsed parsed) {
    this.origin = origin;
    this.parsed = parsed;
  }

  /**
   * @param origin what error messages call the template
   * @throws TemplateException with origin and line, when the source is not a template or nests too
   *     deep
   */
  public static Template parse(String source, String origin) {
    return new Template(origin, Parser.parse(source, origin));
  }

  /**
   * @param variables plain data: String, Boolean, Number, List, Map or null
   * @param functions what the template may call besides Jinja's own, by name; what one throws comes
   *     out as it is
   * @throws TemplateException with origin and line, when the template fails or goes out of bounds
   */
  public String render(
      Map<String, @Nullable Object> variables, Map<String, UnaryOperator<String>> functions) {
    return renderMarked(variables, functions).text();
  }

  /** Whether the source has a {@code generation} block. */
  public boolean marksGenerated() {
    return parsed.marks();
  }

  /** As {@link #render}, with the parts from {@code generation} blocks. */
  public Rendering renderMarked(
      Map<String, @Nullable Object> variables, Map<String, UnaryOperator<String>> functions) {
    Map<String, Value> names = new HashMap<>(Builtins.with(functions));
    variables.forEach((name, value) -> names.put(name, Value.of(value)));
    TextBuffer out = new TextBuffer();
    Run run = new Run(origin, out);
    Statement.executeAll(parsed.body(), Scope.root(run, names), out);
    return new Rendering(out.toString(), run.generated());
  }
}
