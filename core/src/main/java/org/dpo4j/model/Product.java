package org.dpo4j.model;

/**
 * A product x W^T that is not computed yet.
 *
 * @param input x, shape (rows, in)
 * @param matrix W, shape (out, in)
 */
public record Product(Node input, Matrix matrix) {

  /** Adds it to a sum of shape (rows, out), which has no other use and may be changed. */
  Node addTo(Node sum) {
    return new Linear(matrix, null, null).addTo(sum, input);
  }
}
