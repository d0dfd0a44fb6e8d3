package org.dpo4j.cli;

import java.util.function.Consumer;
import org.dpo4j.OptionText;
import org.dpo4j.config.GenerateConfig;
import org.dpo4j.config.InspectConfig;
import org.dpo4j.config.MergeConfig;
import org.dpo4j.config.PlanConfig;
import org.dpo4j.config.ScoreConfig;
import org.dpo4j.config.TrainingOptions;
import org.dpo4j.demo.DemoConfig;
import org.dpo4j.demo.DemoRun;
import org.dpo4j.report.RunOutput;
import org.dpo4j.run.GenerateRun;
import org.dpo4j.run.InspectRun;
import org.dpo4j.run.MergeRun;
import org.dpo4j.run.PlanRun;
import org.dpo4j.run.ScoreRun;
import org.dpo4j.run.TrainingRun;

/** The runs of {@code org.dpo4j.run}. */
final class CoreRuns implements Runs {

  @Override
  public void train(TrainingOptions options, Console console) {
    with(
        console,
        output -> {
          options.report(output);
          TrainingRun.run(options.config(), output);
        });
  }

  @Override
  public void plan(PlanConfig config, Console console) {
    with(console, output -> PlanRun.run(config, output));
  }

  @Override
  public void score(ScoreConfig config, Console console) {
    with(console, output -> ScoreRun.run(config, output));
  }

  @Override
  public void inspect(InspectConfig config, Console console) {
    with(console, output -> InspectRun.run(config, output));
  }

  @Override
  public void merge(MergeConfig config, Console console) {
    with(console, output -> MergeRun.run(config, output));
  }

  @Override
  public void generate(GenerateConfig config, Console console) {
    with(console, output -> GenerateRun.run(config, output));
  }

  @Override
  public void demo(DemoConfig config, Console console) {
    with(console, output -> DemoRun.run(config, output));
  }

  private static void with(Console console, Consumer<RunOutput> work) {
    try (TerminalProgress progress = new TerminalProgress(console)) {
      work.accept(new RunOutput(console.out(), console.err(), progress, OptionText::flags));
    }
  }
}
