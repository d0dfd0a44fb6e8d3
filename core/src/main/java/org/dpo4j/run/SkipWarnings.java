package org.dpo4j.run;

import org.dpo4j.OptionText;
import org.dpo4j.SkippedStep;
import org.dpo4j.TrainingControl;
import org.dpo4j.TrainingListener;
import org.dpo4j.report.RunOutput;

/** Warns of each skipped step, with its rows. */
record SkipWarnings(RunOutput output) implements TrainingListener {

  @Override
  public void onSkippedStep(SkippedStep step, TrainingControl control) {
    output.warn(
        OptionText.of(
            "step %d was skipped: its loss was %s and its gradient norm %s, on %s; it is number %d of"
                + " %d that {on_nan_limit} allows",
            step.step(),
            step.loss(),
            step.gradNorm(),
            String.join(" ", step.rows()),
            step.skipped(),
            step.limit()));
  }
}
