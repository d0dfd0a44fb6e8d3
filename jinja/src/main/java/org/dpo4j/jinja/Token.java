package org.dpo4j.jinja;

/**
 * A piece of the source.
 *
 * @param text of DATA and STRING the characters meant, else those written; for the begin and end
 *     kinds it says nothing
 * @param line from 1
 */
record Token(Kind kind, String text, int line) {
  enum Kind {
    DATA,
    VARIABLE_BEGIN,
    VARIABLE_END,
    BLOCK_BEGIN,
    BLOCK_END,
    NAME,
    STRING,
    INTEGER,
    FLOAT,
    OPERATOR,
    END
  }

  boolean is(Kind kind, String text) {
    return this.kind == kind && this.text.equals(text);
  }

  @Override
  public String toString() {
    return switch (kind) {
      case DATA, STRING -> "text";
      case VARIABLE_BEGIN -> "'{{'";
      case VARIABLE_END -> "'}}'";
      case BLOCK_BEGIN -> "'{%'";
      case BLOCK_END -> "'%}'";
      case END -> "the end of the template";
      default -> "'" + text + "'";
    };
  }
}
