package org.dpo4j.run;

import java.nio.file.Path;
import java.time.LocalDate;
import java.time.ZoneId;
import org.dpo4j.checkpoint.OutputFolder;
import org.dpo4j.config.TrainingConfig;
import org.dpo4j.report.CurvesPlot;
import org.dpo4j.report.Picture;
import org.dpo4j.report.RunHistory;
import org.dpo4j.report.ShortNumber;
import org.dpo4j.train.Trainer;

/** Writes the curves of a run: {@code curves.png} and {@code curves.svg}. */
record CurveFiles(TrainingConfig config, Trainer.Settings settings) {

  void write(OutputFolder folder, RunHistory history, int stepsDone) {
    Picture curves = draw(folder.target(), history, stepsDone);
    folder.write("curves.png", curves::writePng);
    folder.write("curves.svg", curves::writeSvg);
  }

  private Picture draw(Path target, RunHistory history, int stepsDone) {
    StepDescriptions steps = new StepDescriptions(config, settings);
    return CurvesPlot.draw(
        "%s: %s tuned with %s"
            .formatted(
                target.getFileName(),
                Paths.name(config.model().model()),
                new RunDescriptions(config).loss()),
        "%s, %s of %d, learning rate %s%s, %s"
            .formatted(
                ShortNumber.count(settings.plan().examples(), config.loss().examples().noun()),
                steps.done(stepsDone),
                steps.pairsOfStep(),
                steps.learningRate(" "),
                config.trainsAdapter() ? ", LoRA" : "",
                LocalDate.now(ZoneId.systemDefault())),
        history,
        settings.plan().stepsPerEpoch());
  }
}
