/**
 * An interpreter of the Jinja that chat templates are written in, with Python's semantics.
 *
 * <p>In: a template's text and plain Java data (strings, numbers, booleans, lists, maps). Out: the
 * rendered text. Templates are other people's programs, so nothing here reflects, loads, reads or
 * calls anything outside: a template sees only the closed family {@link org.dpo4j.jinja.Value}, and
 * {@link org.dpo4j.jinja.Run} bounds steps, depth and memory. Text inside data is never
 * interpreted.
 *
 * <p>Start at {@link org.dpo4j.jinja.Template}; then Lexer, Parser, Statement, Expr.
 */
@org.jspecify.annotations.NullMarked
package org.dpo4j.jinja;
