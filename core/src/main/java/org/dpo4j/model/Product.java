package org.dpo4j.model;

/**
 * A product x W^T, not computed yet.
 *
 * @param input x, shape (rows, in)
 * @param matrix W, shape (out, in)
 */
public record Product(Node input, Matrix matrix) {

  /** Adds the product to a sum of shape (rows, out), which may be changed in place. */
  Node addTo(Node sum) {
    return new Linear(matrix, false, null, null).addTo(sum, input);
  }
}
