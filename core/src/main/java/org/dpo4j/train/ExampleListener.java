package org.dpo4j.train;

import java.util.List;

/** Receives the numbers of each pair, which reports of steps and evaluations only sum up. */
public interface ExampleListener {

  /** Ignores everything. */
  ExampleListener NONE =
      new ExampleListener() {
        @Override
        public void onStep(int step, double epoch, List<ExampleNumbers> examples) {}

        @Override
        public void onEvaluation(
            int step, double epoch, String dataset, List<ExampleNumbers> examples) {}
      };

  /** Passes everything on to two others. */
  static ExampleListener both(ExampleListener first, ExampleListener second) {
    return new ExampleListener() {
      @Override
      public void onStep(int step, double epoch, List<ExampleNumbers> examples) {
        first.onStep(step, epoch, examples);
        second.onStep(step, epoch, examples);
      }

      @Override
      public void onEvaluation(
          int step, double epoch, String dataset, List<ExampleNumbers> examples) {
        first.onEvaluation(step, epoch, dataset, examples);
        second.onEvaluation(step, epoch, dataset, examples);
      }
    };
  }

  /**
   * A step is done and was not skipped.
   *
   * @param step from 1
   * @param epoch passes over the data after it
   * @param examples the pairs of the step, as they were before its update
   */
  void onStep(int step, double epoch, List<ExampleNumbers> examples);

  /**
   * A batch of an evaluation is done.
   *
   * @param step steps done
   * @param epoch passes over the data
   * @param dataset name of the set; empty for the only one
   * @param examples the pairs of the batch
   */
  void onEvaluation(int step, double epoch, String dataset, List<ExampleNumbers> examples);
}
