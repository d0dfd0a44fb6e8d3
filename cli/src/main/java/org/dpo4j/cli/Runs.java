package org.dpo4j.cli;

import org.dpo4j.config.GenerateConfig;
import org.dpo4j.config.InspectConfig;
import org.dpo4j.config.MergeConfig;
import org.dpo4j.config.PlanConfig;
import org.dpo4j.config.ScoreConfig;
import org.dpo4j.config.TrainingOptions;
import org.dpo4j.demo.DemoConfig;

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
