package org.dpo4j.jinja;

import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import org.dpo4j.jinja.Token.Kind;
import org.jspecify.annotations.Nullable;

/** Tokens to statements. */
final class Parser {
  private final TokenStream tokens;
  private final ExpressionParser expressions;
  private int loops;
  private boolean marks;

  private Parser(TokenStream tokens) {
    this.tokens = tokens;
    this.expressions = new ExpressionParser(tokens);
  }

  /**
   * A template's statements.
   *
   * @param marks whether one of them is a {@code generation} block
   */
  record Parsed(List<Statement> body, boolean marks) {}

  /**
   * @throws TemplateException with its place, when the source is not a template
   */
  static Parsed parse(String source, String origin) {
    TokenStream tokens = new TokenStream(Lexer.tokens(source, origin));
    try {
      Parser parser = new Parser(tokens);
      return new Parsed(parser.body(Set.of()), parser.marks);
    } catch (TemplateException fault) {
      throw fault.at(origin, tokens.line());
    }
  }

  /** Statements up to a tag of one of these names, which is left current; none means the end. */
  private List<Statement> body(Set<String> ends) {
    List<Statement> statements = new ArrayList<>();
    while (true) {
      Token token = tokens.next();
      switch (token.kind()) {
        case DATA -> statements.add(new Statement.Text(token.line(), token.text()));
        case VARIABLE_BEGIN -> {
          statements.add(new Statement.Print(token.line(), expressions.tuple()));
          tokens.expect(Kind.VARIABLE_END);
        }
        case BLOCK_BEGIN -> {
          Token name = tokens.current();
          if (name.kind() == Kind.NAME && ends.contains(name.text())) {
            return statements;
          }
          tokens.deeper();
          statements.add(statement(token.line()));
          tokens.shallower();
          tokens.expect(Kind.BLOCK_END);
        }
        default -> {
          if (!ends.isEmpty()) {
            throw new TemplateException(
                "a block must end with " + names(ends) + " but does not end");
          }
          return statements;
        }
      }
    }
  }

  /** The body between the current tag's end and {@code end}'s name, which is taken. */
  private List<Statement> block(String end) {
    List<Statement> body = block(Set.of(end));
    tokens.next();
    return body;
  }

  private List<Statement> block(Set<String> ends) {
    tokens.skip(Kind.OPERATOR, ":");
    tokens.expect(Kind.BLOCK_END);
    return body(ends);
  }

  /** A body that {@code break} cannot leave. */
  private List<Statement> closedBlock(String end) {
    int outer = loops;
    loops = 0;
    List<Statement> body = block(end);
    loops = outer;
    return body;
  }

  private Statement statement(int line) {
    String tag = tokens.expect(Kind.NAME).text();
    return switch (tag) {
      case "if" -> conditional(line);
      case "for" -> loop(line);
      case "set" -> assignment(line);
      case "macro" -> new Statement.Macro(line, macro(tokens.expect(Kind.NAME).text()));
      case "call" -> call(line);
      case "filter" -> {
        Expr filter = expressions.filterChain();
        yield new Statement.Filtered(line, filter, block("endfilter"));
      }
      case "with" -> with(line);
      case "generation" -> {
        marks = true;
        yield new Statement.Generation(line, closedBlock("endgeneration"));
      }
      case "block" -> namedBlock(line);
      case "print" -> new Statement.Print(line, expressions.tuple());
      case "break" -> new Statement.Jump(line, inLoop(Statement.Flow.BREAK));
      case "continue" -> new Statement.Jump(line, inLoop(Statement.Flow.CONTINUE));
      case "extends", "include", "import", "from" ->
          throw new TemplateException(
              "the tag '" + tag + "' needs another template, but a chat template stands alone");
      default -> throw new TemplateException("unknown tag '" + tag + "'");
    };
  }

  private Statement.Flow inLoop(Statement.Flow jump) {
    if (loops == 0) {
      throw new TemplateException("'break' and 'continue' must be inside a loop but are not");
    }
    return jump;
  }

  private Statement conditional(int line) {
    List<Statement.Branch> branches = new ArrayList<>();
    List<Statement> otherwise = List.of();
    while (true) {
      Expr test = expressions.tupleWithoutCondition();
      branches.add(new Statement.Branch(test, block(Set.of("elif", "else", "endif"))));
      String end = tokens.next().text();
      if (end.equals("else")) {
        otherwise = block("endif");
      }
      if (!end.equals("elif")) {
        return new Statement.If(line, branches, otherwise);
      }
    }
  }

  private Statement loop(int line) {
    Target target = expressions.target(false);
    tokens.expect(Kind.NAME, "in");
    Expr iterable = expressions.tupleWithoutCondition();
    Expr test = tokens.skip(Kind.NAME, "if") ? expressions.expression() : null;
    boolean recursive = tokens.skip(Kind.NAME, "recursive");
    loops++;
    List<Statement> body = block(Set.of("endfor", "else"));
    loops--;
    List<Statement> otherwise =
        tokens.next().text().equals("else") ? block("endfor") : List.<Statement>of();
    return new Statement.For(line, target, iterable, test, recursive, body, otherwise);
  }

  private Statement assignment(int line) {
    Target target = expressions.target(true);
    if (tokens.skip(Kind.OPERATOR, "=")) {
      return new Statement.Set(line, target, expressions.tuple());
    }
    Expr filter = tokens.skip(Kind.OPERATOR, "|") ? expressions.filterChain() : new Expr.Captured();
    return new Statement.SetBlock(line, target, filter, block("endset"));
  }

  private MacroDefinition macro(String name) {
    List<MacroDefinition.Parameter> parameters = new ArrayList<>();
    if (tokens.current().is(Kind.OPERATOR, "(")) {
      parameters = parameters();
    } else {
      throw new TemplateException("a macro must have parameters in parentheses but has none");
    }
    return definition(name, parameters, "endmacro");
  }

  private MacroDefinition definition(
      String name, List<MacroDefinition.Parameter> parameters, String end) {
    Set<String> outer = expressions.names();
    Set<String> used = new HashSet<>();
    expressions.collect(used);
    List<Statement> body = closedBlock(end);
    outer.addAll(used);
    expressions.collect(outer);
    return new MacroDefinition(name, parameters, Set.copyOf(used), body);
  }

  private List<MacroDefinition.Parameter> parameters() {
    List<MacroDefinition.Parameter> parameters = new ArrayList<>();
    boolean defaults = false;
    tokens.expect(Kind.OPERATOR, "(");
    while (!tokens.current().is(Kind.OPERATOR, ")")) {
      if (!parameters.isEmpty()) {
        tokens.expect(Kind.OPERATOR, ",");
      }
      String name = tokens.expect(Kind.NAME).text();
      @Nullable Expr value = tokens.skip(Kind.OPERATOR, "=") ? expressions.expression() : null;
      if (value == null && defaults) {
        throw new TemplateException("a parameter after one with a default must have a default too");
      }
      defaults = value != null;
      parameters.add(new MacroDefinition.Parameter(name, value));
    }
    tokens.next();
    return parameters;
  }

  private Statement call(int line) {
    List<MacroDefinition.Parameter> parameters =
        tokens.current().is(Kind.OPERATOR, "(") ? parameters() : List.of();
    if (!(expressions.expression() instanceof Expr.Call call)) {
      throw new TemplateException("the tag 'call' must contain a call but does not");
    }
    return new Statement.CallBlock(line, call, definition("caller", parameters, "endcall"));
  }

  private Statement with(int line) {
    List<Target> targets = new ArrayList<>();
    List<Expr> values = new ArrayList<>();
    while (tokens.current().kind() != Kind.BLOCK_END) {
      if (!targets.isEmpty()) {
        tokens.expect(Kind.OPERATOR, ",");
      }
      targets.add(expressions.target(false));
      tokens.expect(Kind.OPERATOR, "=");
      values.add(expressions.expression());
    }
    return new Statement.With(line, targets, values, block("endwith"));
  }

  /** A named block, which stands alone here because no template extends another. */
  private Statement namedBlock(int line) {
    String name = tokens.expect(Kind.NAME).text();
    tokens.skip(Kind.NAME, "scoped");
    List<Statement> body = closedBlock("endblock");
    tokens.skip(Kind.NAME, name);
    return new Statement.Scoped(line, body);
  }

  private static String names(Set<String> tags) {
    return String.join(" or ", tags.stream().sorted().map(tag -> "'" + tag + "'").toList());
  }
}
