package org.dpo4j.model.decoder;

import org.jspecify.annotations.Nullable;

/**
 * The embedding tables.
 *
 * @param table name of the tokens' table
 * @param scale factor of its rows
 * @param padding the token whose embedding receives no gradient, as {@code pad_token_id} in
 *     transformers; {@link org.dpo4j.model.CausalLm.EmbeddingTable#NONE} for no such token
 * @param positions learned positions; null for none
 */
public record EmbeddingConfig(
    String table, double scale, int padding, @Nullable Positions positions) {

  /**
   * A table of learned positions, which are added to the embeddings.
   *
   * @param table its name
   * @param offset number of rows before that of position 0
   */
  public record Positions(String table, int offset) {}

  /** The path of the tokens' table. */
  String path() {
    return table.replaceFirst("[.]weight$", "");
  }

  /** The same with another name. */
  public EmbeddingConfig withTable(String name) {
    return new EmbeddingConfig(name, scale, padding, positions);
  }

  /** The same with another token without gradient. */
  public EmbeddingConfig withPadding(int token) {
    return new EmbeddingConfig(table, scale, token, positions);
  }

  /** The same with rows times a factor. */
  public EmbeddingConfig withScale(double factor) {
    return new EmbeddingConfig(table, factor, padding, positions);
  }
}
