package org.dpo4j.run;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.dpo4j.DpoException;
import org.dpo4j.OptionText;
import org.dpo4j.StepReport;
import org.dpo4j.config.DoctorConfig;
import org.dpo4j.report.Conclusion;
import org.dpo4j.report.LogFormat;
import org.dpo4j.report.PairDiagnoses;
import org.dpo4j.report.RunHistory;
import org.dpo4j.report.RunOutput;
import org.dpo4j.report.ShortNumber;

/** Explains the curves of a finished run: a summary, and each symptom with its numbers. */
public final class DoctorRun {

  private DoctorRun() {}

  /**
   * Reads the records of a run and prints their explanation.
   *
   * @throws DpoException if they are damaged
   */
  public static void run(DoctorConfig config, RunOutput output) {
    config.checkInputs();
    Path file = config.file();
    FinishedRun run = FinishedRun.read(file, config.beta(), output);
    RunHistory history = run.history();
    Conclusion conclusion = run.conclusion();
    Prose prose = Prose.of(output, LogFormat.TABLE);
    prose.line(
        "%s: %s up to step %,d, %s",
        file,
        ShortNumber.count(history.steps().size(), "logged step"),
        history.lastStep().map(StepReport::step).orElse(0),
        ShortNumber.count(history.evaluations().size(), "evaluation"));
    conclusion.summary().forEach(prose::wrapped);
    List<String> symptoms = new ArrayList<>(conclusion.warnings());
    PairDiagnoses.of(run.folder().resolve("ledger.jsonl"), history).ifPresent(symptoms::add);
    if (symptoms.isEmpty()) {
      prose.line(
          conclusion.isShort()
              ? "nothing is conspicuous, but the run is too short to tell much"
              : "nothing is conspicuous");
    } else {
      prose.line("%s:", ShortNumber.count(symptoms.size(), "symptom"));
      symptoms.forEach(symptom -> prose.wrapped("- " + output.styled(symptom)));
    }
    if (history.evaluations().isEmpty()) {
      prose.print(
          OptionText.of(
              "there is no evaluation, so nothing is known of pairs that were not trained on; pass"
                  + " {eval_file} or {eval_split} to the next run"));
    }
  }
}
