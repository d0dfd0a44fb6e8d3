package org.dpo4j.model;

import java.util.ArrayList;
import java.util.List;
import org.bytedeco.pytorch.Tensor;
import org.dpo4j.torch.WorkerPool;

/**
 * Adds the gradients that the tapes of all threads recorded to those of the weights. A job computes
 * a part of one matrix from the rows of all threads in their order. No two jobs write to the same
 * memory, and the sums are the same in every run.
 */
public final class WeightGradients {

  /** Minimum number of elements in a part of a matrix; narrow products are slow. */
  private static final long MIN_PART = 1 << 18;

  private WeightGradients() {}

  /**
   * Computes the recorded gradients on the worker pool.
   *
   * @param tapes one for each thread that had rows; all threads applied the same layers in the same
   *     order
   * @throws IllegalStateException if the tapes did not record the same weights
   */
  public static void add(WorkerPool workers, List<Tape> tapes) {
    workers.runJobs(jobs(workers, tapes));
  }

  /**
   * The jobs of {@link #add}, for {@link WorkerPool#runJobs}.
   *
   * @param tapes as for {@link #add}, to be closed after the jobs have run
   */
  static List<Runnable> jobs(WorkerPool workers, List<Tape> tapes) {
    List<Runnable> jobs = new ArrayList<>();
    if (tapes.isEmpty()) {
      return jobs;
    }
    requireSameWeights(tapes);
    for (int i = 0; i < tapes.get(0).matrixGradients().size(); i++) {
      addMatrixJobs(jobs, workers.size(), i, tapes);
    }
    for (int i = 0; i < tapes.get(0).expertGradients().size(); i++) {
      addExpertJobs(jobs, workers.size(), i, tapes);
    }
    jobs.add(() -> addVectors(tapes));
    return jobs;
  }

  private static void requireSameWeights(List<Tape> tapes) {
    List<Tape.MatrixGradient> first = tapes.get(0).matrixGradients();
    for (Tape tape : tapes) {
      List<Tape.MatrixGradient> own = tape.matrixGradients();
      boolean same = own.size() == first.size();
      for (int i = 0; same && i < own.size(); i++) {
        same = own.get(i).weight().is_same(first.get(i).weight());
      }
      if (!same || !sameExperts(tape, tapes.get(0))) {
        throw new IllegalStateException(
            "every thread must apply the same layers in the same order to its rows but two threads"
                + " recorded gradients of different matrices");
      }
    }
  }

  private static boolean sameExperts(Tape one, Tape other) {
    List<Tape.ExpertGradient> own = one.expertGradients();
    List<Tape.ExpertGradient> others = other.expertGradients();
    boolean same = own.size() == others.size();
    for (int i = 0; same && i < own.size(); i++) {
      same = own.get(i).matrices().sameAs(others.get(i).matrices());
    }
    return same;
  }

  private static void addMatrixJobs(List<Runnable> jobs, int threads, int index, List<Tape> tapes) {
    Tensor weight = tapes.get(0).matrixGradients().get(index).weight(); // (rows, columns)
    int dim = weight.size(0) >= weight.size(1) ? 0 : 1; // the longer side is cut
    long side = weight.size(dim);
    int parts = (int) Math.max(1, Math.min(threads, weight.numel() / MIN_PART));
    for (int part = 0; part < parts; part++) {
      long from = side * part / parts;
      long count = side * (part + 1) / parts - from;
      jobs.add(() -> addPart(index, tapes, dim, from, count));
    }
  }

  private static void addPart(int index, List<Tape> tapes, int dim, long from, long count) {
    for (Tape tape : tapes) {
      Tape.MatrixGradient gradient = tape.matrixGradients().get(index);
      Tensor left = gradient.left();
      Tensor right = gradient.right();
      Matrix.addProduct(
          gradient.weight().grad().narrow(dim, from, count),
          (dim == 0 ? left.narrow(1, from, count) : left).t(),
          dim == 1 ? right.narrow(1, from, count) : right);
    }
  }

  private static void addExpertJobs(List<Runnable> jobs, int threads, int index, List<Tape> tapes) {
    int experts = tapes.get(0).expertGradients().get(index).routing().experts();
    int parts = Math.min(threads, experts);
    for (int part = 0; part < parts; part++) {
      int from = experts * part / parts;
      int to = experts * (part + 1) / parts;
      jobs.add(() -> addExperts(index, tapes, from, to));
    }
  }

  private static void addExperts(int index, List<Tape> tapes, int from, int to) {
    for (int expert = from; expert < to; expert++) {
      for (Tape tape : tapes) {
        Tape.ExpertGradient gradient = tape.expertGradients().get(index);
        gradient.matrices().addGradient(expert, gradient);
      }
    }
  }

  private static void addVectors(List<Tape> tapes) {
    for (Tape tape : tapes) {
      tape.vectorGradients()
          .forEach(gradient -> gradient.weight().grad().add_(gradient.gradient()));
    }
  }
}
