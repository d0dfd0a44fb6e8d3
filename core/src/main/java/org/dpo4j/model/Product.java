package org.dpo4j.model;

/**
 * A product x W^T that is not computed yet.
 *
 * @param input x, shape (rows, in)
 * @param matrix W, shape (out, in)
 */
public record Product(Node input, Matrix matrix) {

  /** Shape (rows, out). */
  Node value() {
    return new Linear(matrix, null, null).apply(input);
  }
}
