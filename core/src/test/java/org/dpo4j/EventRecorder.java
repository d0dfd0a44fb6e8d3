package org.dpo4j;

import java.util.ArrayList;
import java.util.List;

/** Writes down the events of a run. */
public class EventRecorder implements TrainingListener {

  /** One line for each event, in order. */
  public final List<String> events = new ArrayList<>();

  @Override
  public String name() {
    return "recorder";
  }

  @Override
  public void onStart(TrainingStart start) {
    events.add("start " + start.trainingPairs() + " " + start.heldOutPairs());
  }

  @Override
  public void onStartCheck(StartCheck check) {
    events.add("check");
  }

  @Override
  public void onStep(StepReport step, TrainingControl control) {
    events.add("step " + step.step());
  }

  @Override
  public void onReport(StepReport report, TrainingControl control) {
    events.add("report " + report.step() + " of " + report.examples());
  }

  @Override
  public void onEvaluation(EvaluationReport report, TrainingControl control) {
    events.add("evaluation " + report.step() + " of " + report.examples());
  }

  @Override
  public void onCheckpoint(SavedCheckpoint saved) {
    events.add("checkpoint " + saved.step());
  }

  @Override
  public void onEnd(TrainingResult result) {
    events.add("end " + result.endReason());
  }

  @Override
  public void onFailure(Throwable failure) {
    events.add("failure " + failure.getClass().getSimpleName());
  }
}
