package org.dpo4j.model;

import java.util.List;
import org.bytedeco.pytorch.Tensor;
import org.dpo4j.torch.Team;

/**
 * Adds to the gradients of weights what the tapes of all threads noted. Each thread takes a part of
 * every matrix and the rows of all threads, in their order, so that no two write to one place and
 * the sum is the same in every run.
 */
public final class WeightGradients {

  private WeightGradients() {}

  /**
   * Adds the noted gradients.
   *
   * @param tapes one for each thread that had rows, with the same notes in the same order
   */
  public static void add(Team team, List<Tape> tapes) {
    if (tapes.isEmpty()) {
      return;
    }
    if (!tapes.get(0).products().isEmpty()) {
      team.each(worker -> addProducts(worker, team.size(), tapes));
    }
    for (int i = 0; i < tapes.get(0).sums().size(); i++) {
      Tensor gradient = tapes.get(0).sums().get(i).weight().grad();
      for (Tape tape : tapes) {
        gradient.add_(tape.sums().get(i).sum());
      }
    }
  }

  private static void addProducts(int worker, int workers, List<Tape> tapes) {
    int matrices = tapes.get(0).products().size();
    for (int i = 0; i < matrices; i++) {
      Tensor gradient = tapes.get(0).products().get(i).weight().grad(); // (rows, columns)
      int dim = gradient.size(0) >= gradient.size(1) ? 0 : 1; // the longer side is cut
      long side = gradient.size(dim);
      long from = side * worker / workers;
      long count = side * (worker + 1) / workers - from;
      if (count == 0) {
        continue;
      }
      Tensor part = gradient.narrow(dim, from, count);
      for (Tape tape : tapes) {
        Tape.Product product = tape.products().get(i);
        Tensor left = product.left();
        Tensor right = product.right();
        Tensor rows = (dim == 0 ? left.narrow(1, from, count) : left).t();
        Tensor columns = dim == 1 ? right.narrow(1, from, count) : right;
        Matrix.addProduct(part, rows, columns);
      }
    }
  }
}
