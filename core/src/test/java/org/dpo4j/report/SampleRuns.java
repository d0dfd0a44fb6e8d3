package org.dpo4j.report;

import java.util.Random;
import org.dpo4j.EvaluationReport;
import org.dpo4j.PairMetrics;
import org.dpo4j.StepReport;
import org.dpo4j.TrainingMetrics;

/** Runs with known numbers, and one with the shape of a real run. */
final class SampleRuns {
  private SampleRuns() {}

  /** Eleven different values, so that two swapped names cannot go unseen. */
  static TrainingMetrics metrics(double loss) {
    return PairMetrics.of(
        loss, 0.5, -0.25, 0.75, 0.75, -1228.7714, -770.556, -1.84, -1.89, 3.9476, 0.3654);
  }

  static StepReport step(int step, double loss) {
    return new StepReport(step, 4, step / 2.0, 8, metrics(loss), 33.541111, 1e-6, 2891, 0.5, 0.4);
  }

  static EvaluationReport evaluation(int step, double loss) {
    return new EvaluationReport(step, step / 2.0, "", metrics(loss), 33, 7.7762);
  }

  /** A run that converges, with noise; every value is finite. */
  static RunHistory converging(int steps, int evaluateEvery) {
    RunHistory history = new RunHistory();
    Random random = new Random(7);
    for (int step = 0; step <= steps; step++) {
      double done = (double) step / steps;
      double margin = 4 * done + random.nextGaussian() * 2 * done;
      TrainingMetrics metrics =
          PairMetrics.of(
              Math.log1p(Math.exp(-margin)),
              0.3 * margin,
              -0.7 * margin,
              Math.min(1, Math.max(0, 0.5 + 0.5 * done + 0.1 * random.nextGaussian())),
              margin,
              -1200 + 3 * margin + 200 * random.nextGaussian(),
              -1000 - 7 * margin + 200 * random.nextGaussian(),
              -1.8,
              -1.9,
              4,
              0.3);
      if (step > 0) {
        history.add(
            new StepReport(
                step,
                steps,
                done,
                4,
                metrics,
                10 + 20 * random.nextDouble(),
                1e-4,
                step,
                0.5,
                0.4));
      }
      if (step % evaluateEvery == 0) {
        history.add(new EvaluationReport(step, done, "", metrics, 33, 1));
      }
    }
    return history;
  }
}
