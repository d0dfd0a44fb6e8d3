package org.dpo4j.cli;

import org.dpo4j.run.DemoConfig;
import org.dpo4j.run.GenerateConfig;
import org.dpo4j.run.InspectConfig;
import org.dpo4j.run.MergeConfig;
import org.dpo4j.run.PlanConfig;
import org.dpo4j.run.ScoreConfig;
import org.dpo4j.run.TrainingOptions;

/** What the commands call: the runs of core. Failures come as exceptions. */
interface Runs {

  /** Trains, after saying what there is to say about the options. */
  void train(TrainingOptions options, Console console);

  void plan(PlanConfig config, Console console);

  void score(ScoreConfig config, Console console);

  void inspect(InspectConfig config, Console console);

  void merge(MergeConfig config, Console console);

  void generate(GenerateConfig config, Console console);

  void demo(DemoConfig config, Console console);
}
