package org.dpo4j.model;

import java.util.ArrayList;
import java.util.List;
import org.bytedeco.pytorch.Tensor;
import org.dpo4j.torch.WorkerPool;

/**
 * Adds to the gradients of weights what the tapes of all threads noted. A job takes a part of a
 * matrix and the rows of all threads, in their order, so that no two write to one place and the sum
 * is the same in every run.
 */
public final class WeightGradients {

  /** Elements that each part of a matrix has at least: narrow products are slow. */
  private static final long LEAST_PART = 1 << 18;

  private WeightGradients() {}

  /**
   * Adds the noted gradients.
   *
   * @param tapes one for each thread that had rows, with the same notes in the same order
   */
  public static void add(WorkerPool workers, List<Tape> tapes) {
    workers.share(jobs(workers, tapes));
  }

  /**
   * The jobs that {@link #add} consists of, for {@link WorkerPool#share}; a matrix occurs in the
   * notes once.
   *
   * @param tapes as for {@link #add}, to be left open until the jobs are done
   */
  static List<Runnable> jobs(WorkerPool workers, List<Tape> tapes) {
    List<Runnable> jobs = new ArrayList<>();
    if (tapes.isEmpty()) {
      return jobs;
    }
    for (int i = 0; i < tapes.get(0).products().size(); i++) {
      addJobs(jobs, workers.size(), i, tapes);
    }
    jobs.add(() -> addSums(tapes));
    return jobs;
  }

  private static void addJobs(List<Runnable> jobs, int threads, int number, List<Tape> tapes) {
    Tensor weight = tapes.get(0).products().get(number).weight(); // (rows, columns)
    int dim = weight.size(0) >= weight.size(1) ? 0 : 1; // the longer side is cut
    long side = weight.size(dim);
    int parts = (int) Math.max(1, Math.min(threads, weight.numel() / LEAST_PART));
    for (int part = 0; part < parts; part++) {
      long from = side * part / parts;
      long count = side * (part + 1) / parts - from;
      jobs.add(() -> addPart(number, tapes, dim, from, count));
    }
  }

  private static void addPart(int number, List<Tape> tapes, int dim, long from, long count) {
    for (Tape tape : tapes) {
      Tape.Product product = tape.products().get(number);
      Tensor left = product.left();
      Tensor right = product.right();
      Matrix.addProduct(
          product.weight().grad().narrow(dim, from, count),
          (dim == 0 ? left.narrow(1, from, count) : left).t(),
          dim == 1 ? right.narrow(1, from, count) : right);
    }
  }

  private static void addSums(List<Tape> tapes) {
    for (Tape tape : tapes) {
      tape.sums().forEach(sum -> sum.weight().grad().add_(sum.sum()));
    }
  }
}
