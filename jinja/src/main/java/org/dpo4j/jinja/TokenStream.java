package org.dpo4j.jinja;

import java.util.List;
import org.dpo4j.jinja.Token.Kind;

/** Tokens one after the other, and how deep the parser is nested in them. */
final class TokenStream {
  private final List<Token> tokens;
  private int at;
  private int depth;

  /** The last token must be END; the stream stays there. */
  TokenStream(List<Token> tokens) {
    this.tokens = tokens;
  }

  Token current() {
    return tokens.get(at);
  }

  Token look() {
    return tokens.get(Math.min(at + 1, tokens.size() - 1));
  }

  Token next() {
    Token token = current();
    at = Math.min(at + 1, tokens.size() - 1);
    return token;
  }

  /** The line of the token last taken. */
  int line() {
    return tokens.get(Math.max(0, at - 1)).line();
  }

  boolean skip(Kind kind, String text) {
    boolean found = current().is(kind, text);
    if (found) {
      next();
    }
    return found;
  }

  Token expect(Kind kind) {
    if (current().kind() != kind) {
      throw unexpected(new Token(kind, "a " + kind.name().toLowerCase(java.util.Locale.ROOT), 0));
    }
    return next();
  }

  Token expect(Kind kind, String text) {
    if (!current().is(kind, text)) {
      throw unexpected(new Token(kind, text, 0));
    }
    return next();
  }

  private TemplateException unexpected(Token expected) {
    Token found = next();
    return new TemplateException("expected " + expected + " but found " + found);
  }

  void deeper() {
    depth++;
    Limits.check("template", depth, Limits.PARSE_DEPTH, "nested levels");
  }

  void shallower() {
    depth--;
  }
}
