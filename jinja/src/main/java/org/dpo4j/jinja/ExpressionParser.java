package org.dpo4j.jinja;

import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.function.Supplier;
import org.dpo4j.jinja.Token.Kind;
import org.jspecify.annotations.Nullable;

/** Tokens to expressions, in Jinja's order of precedence. */
final class ExpressionParser {
  private static final Set<String> COMPARISONS = Set.of("==", "!=", "<", "<=", ">", ">=");
  private static final Set<String> WORDS_AFTER_TEST = Set.of("else", "or", "and");

  private final TokenStream tokens;
  private Set<String> names = new HashSet<>();

  ExpressionParser(TokenStream tokens) {
    this.tokens = tokens;
  }

  /** The names read since the last {@link #collect}. */
  Set<String> names() {
    return names;
  }

  void collect(Set<String> names) {
    this.names = names;
  }

  /** One expression, or several with commas between them, which make a tuple. */
  Expr tuple() {
    return tuple(this::expression, false);
  }

  /** As {@link #tuple}, where a following {@code if} belongs to the tag. */
  Expr tupleWithoutCondition() {
    return tuple(this::or, false);
  }

  private Expr tuple(Supplier<Expr> part, boolean mayBeEmpty) {
    List<Expr> parts = new ArrayList<>();
    boolean tuple = false;
    while (!tupleEnds()) {
      parts.add(part.get());
      if (!tokens.skip(Kind.OPERATOR, ",")) {
        break;
      }
      tuple = true;
    }
    if (parts.isEmpty() && !mayBeEmpty) {
      throw new TemplateException("expected an expression but found " + tokens.next());
    }
    return tuple || parts.isEmpty() ? new Expr.Sequence(Seq.Kind.TUPLE, parts) : parts.get(0);
  }

  private boolean tupleEnds() {
    Token token = tokens.current();
    return token.kind() == Kind.VARIABLE_END
        || token.kind() == Kind.BLOCK_END
        || token.is(Kind.OPERATOR, ")");
  }

  Target target(boolean mayBeAttribute) {
    List<Target> targets = new ArrayList<>();
    boolean tuple = false;
    do {
      Token token = tokens.current();
      if (token.is(Kind.NAME, "in") || token.is(Kind.OPERATOR, "=")) {
        break;
      } else if (tokens.skip(Kind.OPERATOR, "(")) {
        targets.add(target(mayBeAttribute));
        tokens.expect(Kind.OPERATOR, ")");
      } else {
        targets.add(singleTarget(mayBeAttribute));
      }
    } while (tokens.skip(Kind.OPERATOR, ",") && (tuple = true));
    if (targets.isEmpty()) {
      throw new TemplateException("expected a name but found " + tokens.next());
    }
    return tuple ? new Target.Unpacked(targets) : targets.get(0);
  }

  private Target singleTarget(boolean mayBeAttribute) {
    String name = tokens.expect(Kind.NAME).text();
    if (Set.of("true", "false", "none", "True", "False", "None").contains(name)) {
      throw new TemplateException("can't assign to '" + name + "'");
    }
    return mayBeAttribute && tokens.skip(Kind.OPERATOR, ".")
        ? new Target.Attribute(name, tokens.expect(Kind.NAME).text())
        : new Target.Name(name);
  }

  Expr expression() {
    tokens.deeper();
    Expr value = or();
    while (tokens.skip(Kind.NAME, "if")) {
      Expr test = or();
      Expr otherwise =
          tokens.skip(Kind.NAME, "else")
              ? expression()
              : new Expr.Literal(
                  new Value.Undefined(
                      "the inline if-expression evaluated to false and has no else"));
      value = new Expr.Conditional(test, value, otherwise);
    }
    tokens.shallower();
    return value;
  }

  private Expr or() {
    Expr left = and();
    while (tokens.skip(Kind.NAME, "or")) {
      left = new Expr.Or(left, and());
    }
    return left;
  }

  private Expr and() {
    Expr left = not();
    while (tokens.skip(Kind.NAME, "and")) {
      left = new Expr.And(left, not());
    }
    return left;
  }

  private Expr not() {
    if (!tokens.skip(Kind.NAME, "not")) {
      return comparison();
    }
    tokens.deeper();
    Expr negated = new Expr.Not(not());
    tokens.shallower();
    return negated;
  }

  private Expr comparison() {
    Expr first = sum();
    List<Expr.Comparison> rest = new ArrayList<>();
    while (true) {
      Token token = tokens.current();
      if (token.kind() == Kind.OPERATOR && COMPARISONS.contains(token.text())) {
        tokens.next();
        rest.add(new Expr.Comparison(token.text(), sum()));
      } else if (tokens.skip(Kind.NAME, "in")) {
        rest.add(new Expr.Comparison("in", sum()));
      } else if (token.is(Kind.NAME, "not") && tokens.look().is(Kind.NAME, "in")) {
        tokens.next();
        tokens.next();
        rest.add(new Expr.Comparison("not in", sum()));
      } else {
        return rest.isEmpty() ? first : new Expr.Compare(first, rest);
      }
    }
  }

  private Expr sum() {
    return binary(this::concatenation, "+", "-");
  }

  private Expr concatenation() {
    List<Expr> parts = new ArrayList<>(List.of(product()));
    while (tokens.skip(Kind.OPERATOR, "~")) {
      parts.add(product());
    }
    return parts.size() == 1 ? parts.get(0) : new Expr.Concatenation(parts);
  }

  private Expr product() {
    return binary(() -> binary(() -> unary(true), "**"), "*", "/", "//", "%");
  }

  private Expr binary(Supplier<Expr> operand, String... operators) {
    Expr left = operand.get();
    while (tokens.current().kind() == Kind.OPERATOR
        && List.of(operators).contains(tokens.current().text())) {
      String operator = tokens.next().text();
      left = new Expr.Binary(operator, left, operand.get());
    }
    return left;
  }

  private Expr unary(boolean withFilters) {
    Token token = tokens.current();
    Expr value;
    if (token.is(Kind.OPERATOR, "-") || token.is(Kind.OPERATOR, "+")) {
      tokens.next();
      tokens.deeper();
      value = new Expr.Signed(token.text().equals("-"), unary(false));
      tokens.shallower();
    } else {
      value = primary();
    }
    value = postfix(value);
    return withFilters ? filters(value) : value;
  }

  private Expr filters(Expr input) {
    Expr value = input;
    while (true) {
      if (tokens.skip(Kind.OPERATOR, "|")) {
        value = filter(value);
      } else if (tokens.skip(Kind.NAME, "is")) {
        value = test(value);
      } else if (tokens.current().is(Kind.OPERATOR, "(")) {
        value = new Expr.Call(value, arguments());
      } else {
        return value;
      }
    }
  }

  /** Filters without their input, which is the text that a block renders; the first "|" is gone. */
  Expr filterChain() {
    Expr value = filter(new Expr.Captured());
    while (tokens.skip(Kind.OPERATOR, "|")) {
      value = filter(value);
    }
    return value;
  }

  private Expr filter(Expr input) {
    return new Expr.Filtered(input, dottedName(), argumentsIfAny());
  }

  private String dottedName() {
    StringBuilder name = new StringBuilder(tokens.expect(Kind.NAME).text());
    while (tokens.skip(Kind.OPERATOR, ".")) {
      name.append('.').append(tokens.expect(Kind.NAME).text());
    }
    return name.toString();
  }

  private Expr.Arguments argumentsIfAny() {
    return tokens.current().is(Kind.OPERATOR, "(") ? arguments() : Expr.Arguments.NONE;
  }

  private Expr test(Expr input) {
    boolean negated = tokens.skip(Kind.NAME, "not");
    String name = dottedName();
    Token token = tokens.current();
    Expr.Arguments arguments = argumentsIfAny();
    boolean operand =
        switch (token.kind()) {
          case NAME -> !WORDS_AFTER_TEST.contains(token.text());
          case STRING, INTEGER, FLOAT -> true;
          default -> token.is(Kind.OPERATOR, "[") || token.is(Kind.OPERATOR, "{");
        };
    if (operand) {
      if (token.is(Kind.NAME, "is")) {
        throw new TemplateException("tests with 'is' cannot be chained");
      }
      arguments = Expr.Arguments.of(postfix(primary()));
    }
    Expr test = new Expr.Test(input, name, arguments);
    return negated ? new Expr.Not(test) : test;
  }

  private Expr postfix(Expr primary) {
    Expr value = primary;
    while (true) {
      if (tokens.skip(Kind.OPERATOR, ".")) {
        Token name = tokens.next();
        value =
            switch (name.kind()) {
              case NAME -> new Expr.Attribute(value, name.text());
              case INTEGER -> new Expr.Subscript(value, new Expr.Literal(integer(name.text())));
              default -> throw new TemplateException("expected a name or number but found " + name);
            };
      } else if (tokens.skip(Kind.OPERATOR, "[")) {
        value = subscript(value);
        tokens.expect(Kind.OPERATOR, "]");
      } else if (tokens.current().is(Kind.OPERATOR, "(")) {
        value = new Expr.Call(value, arguments());
      } else {
        return value;
      }
    }
  }

  private Expr subscript(Expr value) {
    @Nullable Expr start = tokens.current().is(Kind.OPERATOR, ":") ? null : expression();
    if (!tokens.skip(Kind.OPERATOR, ":")) {
      return new Expr.Subscript(value, java.util.Objects.requireNonNull(start));
    }
    @Nullable Expr stop = sliceEnds() ? null : expression();
    boolean stepped = tokens.skip(Kind.OPERATOR, ":");
    @Nullable Expr step = stepped && !sliceEnds() ? expression() : null;
    return new Expr.Slice(value, start, stop, step);
  }

  private boolean sliceEnds() {
    return tokens.current().is(Kind.OPERATOR, ":") || tokens.current().is(Kind.OPERATOR, "]");
  }

  private Expr.Arguments arguments() {
    List<Expr> positional = new ArrayList<>();
    List<Expr.Named> named = new ArrayList<>();
    @Nullable Expr list = null;
    @Nullable Expr map = null;
    tokens.expect(Kind.OPERATOR, "(");
    while (!tokens.skip(Kind.OPERATOR, ")")) {
      if (tokens.skip(Kind.OPERATOR, "*") && list == null && map == null) {
        list = expression();
      } else if (tokens.skip(Kind.OPERATOR, "**") && map == null) {
        map = expression();
      } else if (tokens.current().kind() == Kind.NAME
          && tokens.look().is(Kind.OPERATOR, "=")
          && map == null) {
        String name = tokens.next().text();
        tokens.next();
        named.add(new Expr.Named(name, expression()));
      } else if (list == null && map == null && named.isEmpty()) {
        positional.add(expression());
      } else {
        throw new TemplateException("the arguments of a call are in the wrong order");
      }
      if (!tokens.current().is(Kind.OPERATOR, ")")) {
        tokens.expect(Kind.OPERATOR, ",");
      }
    }
    return new Expr.Arguments(positional, named, list, map);
  }

  private Expr primary() {
    Token token = tokens.next();
    return switch (token.kind()) {
      case NAME -> name(token.text());
      case STRING -> {
        StringBuilder text = new StringBuilder(token.text());
        while (tokens.current().kind() == Kind.STRING) {
          text.append(tokens.next().text());
        }
        yield new Expr.Literal(Value.of(text.toString()));
      }
      case INTEGER -> new Expr.Literal(integer(token.text()));
      case FLOAT ->
          new Expr.Literal(new Value.Real(Double.parseDouble(token.text().replace("_", ""))));
      case OPERATOR -> bracketed(token);
      default -> throw new TemplateException("expected an expression but found " + token);
    };
  }

  private Expr name(String name) {
    return switch (name) {
      case "true", "True" -> new Expr.Literal(Values.TRUE);
      case "false", "False" -> new Expr.Literal(Values.FALSE);
      case "none", "None" -> new Expr.Literal(Values.NONE);
      default -> {
        names.add(name);
        yield new Expr.Name(name);
      }
    };
  }

  private Expr bracketed(Token token) {
    return switch (token.text()) {
      case "(" -> {
        Expr inner = tuple(this::expression, true);
        tokens.expect(Kind.OPERATOR, ")");
        yield inner;
      }
      case "[" -> list();
      case "{" -> mapping();
      default -> throw new TemplateException("unexpected '" + token.text() + "'");
    };
  }

  private Expr list() {
    List<Expr> items = new ArrayList<>();
    while (!tokens.skip(Kind.OPERATOR, "]")) {
      items.add(expression());
      comma("]");
    }
    return new Expr.Sequence(Seq.Kind.LIST, items);
  }

  private Expr mapping() {
    List<Expr.Entry> entries = new ArrayList<>();
    while (!tokens.skip(Kind.OPERATOR, "}")) {
      Expr key = expression();
      tokens.expect(Kind.OPERATOR, ":");
      entries.add(new Expr.Entry(key, expression()));
      comma("}");
    }
    return new Expr.Mapping(entries);
  }

  private void comma(String end) {
    if (!tokens.current().is(Kind.OPERATOR, end)) {
      tokens.expect(Kind.OPERATOR, ",");
    }
  }

  private static Value integer(String written) {
    String digits = written.replace("_", "").toLowerCase(java.util.Locale.ROOT);
    try {
      return Value.of(
          digits.startsWith("0b")
              ? Long.parseLong(digits.substring(2), 2)
              : digits.startsWith("0o") ? Long.parseLong(digits.substring(2), 8) : hex(digits));
    } catch (NumberFormatException e) {
      throw new TemplateException("an integer must fit into 64 bits but was " + written);
    }
  }

  private static long hex(String digits) {
    return digits.startsWith("0x")
        ? Long.parseLong(digits.substring(2), 16)
        : Long.parseLong(digits);
  }
}
