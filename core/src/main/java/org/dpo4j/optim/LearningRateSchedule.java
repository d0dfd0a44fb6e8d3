package org.dpo4j.optim;

import java.util.OptionalDouble;
import java.util.OptionalInt;

/**
 * The learning rate of each step: a warm-up, then a course that the shape gives, as in
 * transformers.
 *
 * @param peak the rate that the shape's factors multiply, not negative
 * @param shape course of the learning rate
 * @param warmupSteps steps of the warm-up, not negative
 * @param totalSteps steps of the run, not negative
 */
public record LearningRateSchedule(double peak, Shape shape, int warmupSteps, int totalSteps) {

  public LearningRateSchedule {
    if (!(peak >= 0) || warmupSteps < 0 || totalSteps < 0) {
      throw new IllegalArgumentException(
          "peak, warmupSteps and totalSteps must not be negative but were "
              + peak
              + ", "
              + warmupSteps
              + ", "
              + totalSteps);
    }
  }

  /** The same rate for every step. */
  public static LearningRateSchedule constant(double rate) {
    return new LearningRateSchedule(rate, new Shape.Constant(), 0, 0);
  }

  /**
   * The learning rate of a step.
   *
   * @param step counted from 0
   */
  public double at(int step) {
    return peak
        * (step < warmupSteps
            ? shape.rising(step, warmupSteps)
            : shape.after(step, warmupSteps, totalSteps));
  }

  /**
   * The course of a learning rate as a factor of its peak, a pure function of the step. The
   * formulas are those of transformers 5.23, {@code optimization.py}, evaluated in the same order.
   *
   * <p>Steps count from 0. Rates are relative to the peak; those of a minimum or an end are not
   * negative.
   */
  public sealed interface Shape {

    /** The factor of a step of the warm-up: {@code step < warmup}. */
    default double rising(int step, int warmup) {
      return (double) step / warmup;
    }

    /**
     * The factor of a step after the warm-up.
     *
     * @param step at least {@code warmup}
     * @param warmup steps of the warm-up
     * @param total steps of the run
     */
    double after(int step, int warmup, int total);

    /** The share of the steps after the warm-up that are done; 1 at the end of the run. */
    private static double progress(int step, int warmup, int total) {
      return (double) (step - warmup) / Math.max(1, total - warmup);
    }

    /** From 1 through {@code cycles} waves; half a wave ends at the minimum. */
    private static double wave(double cycles, double progress) {
      return 0.5 * (1 + Math.cos(Math.PI * cycles * 2 * progress));
    }

    /** From {@code [0, 1]} to {@code [minimum, 1]}. */
    private static double above(double minimum, double factor) {
      return factor * (1 - minimum) + minimum;
    }

    /** Constant, without a warm-up. */
    record Constant() implements Shape {
      @Override
      public double rising(int step, int warmup) {
        return 1;
      }

      @Override
      public double after(int step, int warmup, int total) {
        return 1;
      }
    }

    /** Constant after the warm-up. */
    record ConstantWithWarmup() implements Shape {
      @Override
      public double after(int step, int warmup, int total) {
        return 1;
      }
    }

    /** Linear decay to 0 at the end of the run. */
    record Linear() implements Shape {
      @Override
      public double after(int step, int warmup, int total) {
        return Math.max(0, (double) (total - step) / Math.max(1, total - warmup));
      }
    }

    /**
     * A cosine that ends with the run.
     *
     * @param cycles waves of the cosine; 0.5 falls to the minimum once
     * @param minimum lowest rate
     */
    record Cosine(double cycles, double minimum) implements Shape {
      @Override
      public double after(int step, int warmup, int total) {
        return above(minimum, wave(cycles, progress(step, warmup, total)));
      }
    }

    /**
     * {@link Cosine} one step ahead: the last step of the warm-up has the peak and the last step of
     * the run the minimum.
     *
     * @param cycles waves of the cosine; 0.5 falls to the minimum once
     * @param minimum lowest rate after the warm-up
     * @param first rate of the first step; without it the first step has the first of equal parts
     */
    record CosineAhead(double cycles, double minimum, OptionalDouble first) implements Shape {
      @Override
      public double rising(int step, int warmup) {
        return first.isEmpty()
            ? (step + 1.0) / warmup
            : first.getAsDouble() + (1 - first.getAsDouble()) * step / Math.max(1, warmup - 1);
      }

      @Override
      public double after(int step, int warmup, int total) {
        return above(minimum, wave(cycles, progress(step + 1, warmup, total)));
      }
    }

    /**
     * Half cosines one after the other, each from the peak to 0.
     *
     * @param cycles half cosines in the run; the last one is cut if this is not a whole number
     */
    record CosineWithRestarts(double cycles) implements Shape {
      @Override
      public double after(int step, int warmup, int total) {
        double progress = progress(step, warmup, total);
        return progress >= 1 ? 0 : 0.5 * (1 + Math.cos(Math.PI * (cycles * progress % 1)));
      }
    }

    /**
     * {@code (1 - end) (1 - progress)^power + end}.
     *
     * @param end rate at the end of the run, below 1
     * @param power not negative; 1 is linear
     */
    record Polynomial(double end, double power) implements Shape {
      @Override
      public double after(int step, int warmup, int total) {
        double left = 1 - progress(Math.min(step, total), warmup, total);
        return (1 - end) * Math.pow(left, power) + end;
      }
    }

    /**
     * {@code 1 / sqrt((step - warmup + timescale) / timescale)}; the length of the run does not
     * matter.
     *
     * @param timescale positive; after three of them half the peak is left; by default the steps of
     *     the warm-up, or 10,000 without one
     */
    record InverseSqrt(OptionalDouble timescale) implements Shape {
      private static final double WITHOUT_WARMUP = 10_000;

      @Override
      public double after(int step, int warmup, int total) {
        double scale = timescale.orElse(warmup == 0 ? WITHOUT_WARMUP : warmup);
        return 1 / Math.sqrt((step + (scale - warmup)) / scale);
      }
    }

    /**
     * A warm-up from the minimum, a stable phase at the peak, a decay to the minimum, which then
     * stays.
     *
     * @param decaySteps steps of the decay
     * @param stableSteps steps of the stable phase; by default the run ends with the decay
     * @param warmup curve of the warm-up
     * @param decay curve of the decay
     * @param minimum lowest rate
     * @param cycles waves of a decay along a cosine
     */
    record WarmupStableDecay(
        int decaySteps,
        OptionalInt stableSteps,
        Curve warmup,
        Curve decay,
        double minimum,
        double cycles)
        implements Shape {
      @Override
      public double rising(int step, int warmupSteps) {
        double progress = (double) step / warmupSteps;
        double factor =
            switch (warmup) {
              case LINEAR -> progress;
              case COSINE -> 0.5 * (1 - Math.cos(Math.PI * progress));
              case ONE_MINUS_SQRT -> 1 - Math.sqrt(1 - progress);
            };
        return above(minimum, factor);
      }

      @Override
      public double after(int step, int warmupSteps, int total) {
        // A decay longer than the steps after the warm-up has begun when the warm-up ends.
        long stable = stableSteps.orElse(total - warmupSteps - decaySteps);
        long decayed = step - warmupSteps - stable;
        if (decayed < 0) {
          return 1;
        }
        if (decayed >= decaySteps) {
          return minimum;
        }
        double progress = (double) decayed / decaySteps;
        double factor =
            switch (decay) {
              case LINEAR -> 1 - progress;
              case COSINE -> wave(cycles, progress);
              case ONE_MINUS_SQRT -> 1 - Math.sqrt(progress);
            };
        return above(minimum, factor);
      }
    }

    /** The curve of a phase. */
    enum Curve {
      LINEAR,
      COSINE,
      /** 1 minus the square root of the part that is done, or in a warm-up left. */
      ONE_MINUS_SQRT
    }
  }
}
