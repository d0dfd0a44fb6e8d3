package org.dpo4j.cli;

import org.dpo4j.run.DemoConfig;
import org.dpo4j.run.GenerateConfig;
import org.dpo4j.run.InspectConfig;
import org.dpo4j.run.ScoreConfig;
import org.dpo4j.run.TrainingOptions;

/** The runs of {@code org.dpo4j.run}. */
final class CoreRuns implements Runs {

  // WIRE HERE: each method becomes one call of TrainingRun, ScoreRun, InspectRun, GenerateRun and
  // DemoRun.

  @Override
  public void train(TrainingOptions options, Console console) {
    throw new UnsupportedOperationException("train");
  }

  @Override
  public void score(ScoreConfig config, Console console) {
    throw new UnsupportedOperationException("score");
  }

  @Override
  public void inspect(InspectConfig config, Console console) {
    throw new UnsupportedOperationException("inspect");
  }

  @Override
  public void generate(GenerateConfig config, Console console) {
    throw new UnsupportedOperationException("generate");
  }

  @Override
  public void demo(DemoConfig config, Console console) {
    throw new UnsupportedOperationException("demo");
  }
}
