package org.dpo4j.ranks;

import java.time.Duration;
import java.util.Optional;
import org.bytedeco.pytorch.Tensor;

/**
 * The processes that train one model together. Every method but {@link #rank} and {@link #size} is
 * called by all of them, in the same order; it returns when all have called it.
 *
 * <p>A sum has the same bytes on all ranks.
 */
public interface Ranks extends AutoCloseable {

  /** A process that trains alone. */
  static Ranks alone() {
    return Alone.INSTANCE;
  }

  /**
   * Connects to the other ranks; returns when all are there.
   *
   * @param address empty for a process that trains alone
   * @param timeout longest time that a call waits for the others
   * @throws org.dpo4j.DpoException if the ranks do not find each other in time
   */
  static Ranks of(Optional<RankAddress> address, Duration timeout) {
    return address.<Ranks>map(found -> GlooRanks.connect(found, timeout)).orElse(Alone.INSTANCE);
  }

  /** The number of this process, from 0. */
  int rank();

  /** How many processes there are. */
  int size();

  /** Whether this is rank 0, which writes the files and the console. */
  default boolean first() {
    return rank() == 0;
  }

  /** Whether there are others. */
  default boolean several() {
    return size() > 1;
  }

  /** A sum that other threads compute. */
  interface PendingSum extends AutoCloseable {

    /**
     * Returns when the tensor has the sum.
     *
     * @throws org.dpo4j.DpoException if another rank is gone or late
     */
    void await();

    /** Frees its handles, and does not wait. */
    @Override
    void close();
  }

  /**
   * Replaces a tensor by its sum over all ranks.
   *
   * @param tensor contiguous, on the CPU, of the same shape and type on all ranks
   * @throws org.dpo4j.DpoException if another rank is gone or late
   */
  default void sum(Tensor tensor) {
    try (PendingSum sum = startSum(tensor)) {
      sum.await();
    }
  }

  /**
   * Begins to replace a tensor by its sum over all ranks. Ranks begin the same sums in the same
   * order, and wait for each before their next other call.
   *
   * @param tensor as for {@link #sum(Tensor)}; nothing else may read or write it until then
   * @throws org.dpo4j.DpoException if another rank is gone
   */
  PendingSum startSum(Tensor tensor);

  /**
   * Adds up numbers, each over all ranks.
   *
   * @param numbers as many on all ranks; not changed
   * @throws org.dpo4j.DpoException if another rank is gone or late
   */
  double[] sum(double... numbers);

  /**
   * Replaces a tensor by that of rank 0.
   *
   * @param tensor as for {@link #sum(Tensor)}
   * @throws org.dpo4j.DpoException if another rank is gone or late
   */
  void copyFirst(Tensor tensor);

  /**
   * The numbers of rank 0.
   *
   * @param numbers as many on all ranks; those of rank 0 count; not changed
   * @throws org.dpo4j.DpoException if another rank is gone or late
   */
  default double[] ofFirst(double... numbers) {
    return sum(first() ? numbers : new double[numbers.length]);
  }

  /** Whether a condition holds on any rank. */
  default boolean any(boolean condition) {
    return sum(condition ? 1 : 0)[0] > 0;
  }

  /** Leaves the others, who get an error at their next call. */
  @Override
  void close();
}
