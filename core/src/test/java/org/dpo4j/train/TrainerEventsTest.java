package org.dpo4j.train;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.function.ToDoubleFunction;
import org.dpo4j.Cancellation;
import org.dpo4j.EndReason;
import org.dpo4j.EvaluationReport;
import org.dpo4j.EventRecorder;
import org.dpo4j.ListenerException;
import org.dpo4j.SavedCheckpoint;
import org.dpo4j.StepReport;
import org.dpo4j.TrainingControl;
import org.dpo4j.TrainingListener;
import org.dpo4j.TrainingMetrics;
import org.dpo4j.TrainingResult;
import org.dpo4j.TrainingStart;
import org.dpo4j.batch.EpochPlan;
import org.dpo4j.encode.EncodedExample;
import org.dpo4j.logprob.LogProbEngine;
import org.dpo4j.loss.Objective;
import org.dpo4j.loss.SigmoidLoss;
import org.dpo4j.model.CausalLm;
import org.dpo4j.model.SmallModel;
import org.dpo4j.optim.AdamW;
import org.dpo4j.optim.LearningRateSchedule;
import org.dpo4j.torch.ElementType;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Closes: evaluations, reports and checkpoints that do not happen, happen twice, or are of other
 * weights than they say.
 *
 * <p>10 pairs in micro-batches of 2, two a step, are 3 steps an epoch; 7 steps are two epochs and a
 * third.
 */
class TrainerEventsTest {

  private static final int STEPS = 7;
  private static final List<EncodedExample> PAIRS = SmallPairs.random(10, 5);
  private static final Objective OBJECTIVE = Objective.of(new SigmoidLoss(0.1));

  private final CausalLm reference = SmallModel.TINY_GPT.create(ElementType.F32, 3);
  private final CausalLm policy = reference.copy();
  private final Cancellation cancellation = new Cancellation();
  private final List<TrainingMetrics> evaluated = new ArrayList<>();
  private int loggingSteps = 3;
  private boolean ownCheckpoints;

  @AfterEach
  void close() {
    policy.close();
    reference.close();
  }

  /** Also keeps the metrics of evaluations. */
  private final EventRecorder recorder =
      new EventRecorder() {
        @Override
        public void onEvaluation(EvaluationReport report, TrainingControl control) {
          super.onEvaluation(report, control);
          evaluated.add(report.metrics());
        }
      };

  /** Saves nothing; a checkpoint is planned after each evaluation but that of step 2. */
  private final class Checkpoints implements Checkpointing {
    @Override
    public boolean enabled() {
      return ownCheckpoints;
    }

    @Override
    public boolean due(int step, boolean epochEnded, boolean evaluated) {
      return ownCheckpoints && evaluated && step != 2;
    }

    @Override
    public SavedCheckpoint save(TrainingSession session) {
      return new SavedCheckpoint(session.step(), Path.of("checkpoint"), 0);
    }
  }

  private Evaluation evaluation(int everySteps, boolean everyEpoch) {
    return new Evaluation(
        List.of(new Evaluation.HeldOut("", new SmallRun(PAIRS.subList(0, 4)).data(reference))),
        3,
        everySteps,
        everyEpoch);
  }

  private EndReason train(@Nullable Evaluation evaluation, TrainingListener... listeners) {
    try (TrainingSession session = session()) {
      Trainer trainer = trainer(session, evaluation, listeners);
      EndReason reason = trainer.train();
      assertThat(trainer.endReason()).isEqualTo(reason);
      return reason;
    }
  }

  private Trainer trainer(
      TrainingSession session, @Nullable Evaluation evaluation, TrainingListener... listeners) {
    List<TrainingListener> all = new ArrayList<>(List.of(listeners));
    all.add(recorder);
    return new Trainer(
        session,
        evaluation,
        new Checkpoints(),
        new Listeners(all, cancellation),
        ExampleListener.NONE);
  }

  private TrainingSession session() {
    return new TrainingSession(
        policy,
        new SmallRun(PAIRS).data(reference),
        OBJECTIVE,
        new Trainer.Settings(
            new EpochPlan(PAIRS.size(), 2, 2, EpochPlan.Order.FILE, 0),
            STEPS,
            LearningRateSchedule.constant(1e-2),
            AdamW.Settings.ADAM,
            1,
            0,
            loggingSteps,
            Computation.PLAIN,
            true));
  }

  private List<String> of(String kind) {
    return recorder.events.stream().filter(event -> event.startsWith(kind)).toList();
  }

  /** The caller evaluates after the last step, so 7 is not in it. */
  @Test
  void evaluationsComeBeforeTheFirstStepAndAfterEverySoManySteps() {
    assertThat(train(evaluation(2, false))).isEqualTo(EndReason.COMPLETED);
    assertThat(of("evaluation"))
        .containsExactly(
            "evaluation 0 of 4", "evaluation 2 of 4", "evaluation 4 of 4", "evaluation 6 of 4");
    assertThat(recorder.events.indexOf("evaluation 0 of 4")).isZero();
    assertThat(recorder.events.indexOf("evaluation 2 of 4"))
        .isGreaterThan(recorder.events.indexOf("step 2"));
    assertThat(recorder.events.indexOf("evaluation 2 of 4"))
        .isLessThan(recorder.events.indexOf("step 3"));
  }

  @Test
  void evaluationsByEpochComeAfterTheLastStepOfEach() {
    train(evaluation(0, true));
    assertThat(of("evaluation"))
        .containsExactly("evaluation 0 of 4", "evaluation 3 of 4", "evaluation 6 of 4");
  }

  @Test
  void withoutAPlanOnlyTheStartIsEvaluated() {
    train(evaluation(0, false));
    assertThat(of("evaluation")).containsExactly("evaluation 0 of 4");
  }

  @Test
  void withoutHeldOutPairsNothingIsEvaluated() {
    train(null);
    assertThat(of("evaluation")).isEmpty();
  }

  @Test
  void anEvaluationIsOfTheWeightsOfItsStep() {
    Evaluation evaluation = evaluation(3, false);
    List<TrainingMetrics> expected = new ArrayList<>();
    expected.add(
        evaluation.sets().get(0).data().evaluate(LogProbEngine.cpu(), policy, OBJECTIVE, 3));
    try (TrainingSession session = session()) {
      Trainer trainer =
          trainer(
              session,
              evaluation,
              new TrainingListener() {
                @Override
                public void onStep(StepReport step, TrainingControl control) {
                  if (step.step() % 3 == 0) {
                    expected.add(
                        evaluation
                            .sets()
                            .get(0)
                            .data()
                            .evaluate(LogProbEngine.cpu(), policy, OBJECTIVE, 3));
                  }
                }
              });
      trainer.train();
      assertThat(evaluated).isEqualTo(expected);
      assertThat(expected).doesNotHaveDuplicates();
      assertThat(trainer.evaluated()).isFalse();
      trainer.evaluate();
      assertThat(trainer.evaluated()).isTrue();
      assertThat(recorder.events.get(recorder.events.size() - 1)).isEqualTo("evaluation 7 of 4");
    }
  }

  @Test
  void withoutHeldOutPairsAllAreEvaluated() {
    try (TrainingSession session = session()) {
      assertThat(trainer(session, null).evaluated()).isTrue();
      assertThat(trainer(session, evaluation(1, false)).evaluated()).isFalse();
    }
  }

  /** An epoch has 4 + 4 + 2 pairs. The last report covers the step that is left. */
  @Test
  void aReportCoversTheStepsSinceTheLastOne() {
    train(null);
    assertThat(of("report")).containsExactly("report 3 of 10", "report 6 of 10", "report 7 of 4");
    assertThat(of("step")).hasSize(STEPS);
    assertThat(of("check")).hasSize(1);
  }

  @Test
  void aReportMayCoverTheWholeRun() {
    loggingSteps = 7;
    train(null);
    assertThat(of("report")).containsExactly("report 7 of 24");
  }

  @Test
  void whatAListenerRequestsHappensAfterTheStep() {
    train(
        evaluation(0, false),
        new TrainingListener() {
          @Override
          public void onStep(StepReport step, TrainingControl control) {
            if (step.step() == 2) {
              control.requestEvaluation();
              control.requestCheckpoint();
            }
            if (step.step() == 5) {
              control.requestCheckpoint();
            }
          }
        });
    assertThat(of("evaluation")).containsExactly("evaluation 0 of 4", "evaluation 2 of 4");
    assertThat(of("checkpoint")).containsExactly("checkpoint 2", "checkpoint 5");
    assertThat(recorder.events)
        .containsSubsequence("step 2", "evaluation 2 of 4", "checkpoint 2", "step 3");
  }

  /** In answer to an evaluation: the next one would be of the same weights. */
  @Test
  void anEvaluationRequestedDuringAnEvaluationIsTheOneThatRuns() {
    train(
        evaluation(3, false),
        new TrainingListener() {
          @Override
          public void onEvaluation(EvaluationReport report, TrainingControl control) {
            if (report.step() > 0) {
              control.requestEvaluation();
            }
          }
        });
    assertThat(of("evaluation"))
        .containsExactly("evaluation 0 of 4", "evaluation 3 of 4", "evaluation 6 of 4");
  }

  @Test
  void plannedCheckpointsFollowTheirEvaluations() {
    ownCheckpoints = true;
    train(evaluation(2, false));
    assertThat(of("checkpoint")).containsExactly("checkpoint 4", "checkpoint 6");
    assertThat(recorder.events).containsSubsequence("evaluation 4 of 4", "checkpoint 4", "step 5");
  }

  @Test
  void aListenerMayStopTheRunWhichReportsWhatItDid() {
    EndReason reason =
        train(
            evaluation(2, false),
            new TrainingListener() {
              @Override
              public void onStep(StepReport step, TrainingControl control) {
                if (step.step() == 4) {
                  control.requestStop();
                }
              }
            });
    assertThat(reason).isEqualTo(EndReason.STOPPED_BY_LISTENER);
    assertThat(recorder.events).endsWith("step 4", "report 4 of 4");
    assertThat(of("evaluation")).containsExactly("evaluation 0 of 4", "evaluation 2 of 4");
  }

  @Test
  void aStopInTheLastStepIsACompleteRun() {
    EndReason reason =
        train(
            null,
            new TrainingListener() {
              @Override
              public void onStep(StepReport step, TrainingControl control) {
                if (step.step() == STEPS) {
                  control.requestStop();
                }
              }
            });
    assertThat(reason).isEqualTo(EndReason.COMPLETED);
  }

  @Test
  void aCancelledRunEndsBeforeItsNextStep() {
    EndReason reason = train(null, cancelling(2, false));
    assertThat(reason).isEqualTo(EndReason.CANCELLED);
    assertThat(recorder.events).endsWith("step 2", "report 2 of 8");
  }

  /** Its last report would cover other steps than that of a run that goes on. */
  @Test
  void aSuspendedRunSavesACheckpointAndReportsNothing() {
    ownCheckpoints = true;
    assertThat(train(null, cancelling(2, true))).isEqualTo(EndReason.SUSPENDED);
    assertThat(recorder.events).endsWith("step 2", "checkpoint 2");
    assertThat(of("report")).isEmpty();
  }

  private TrainingListener cancelling(int atStep, boolean suspended) {
    return new TrainingListener() {
      @Override
      public void onStep(StepReport step, TrainingControl control) {
        if (step.step() == atStep) {
          if (suspended) {
            cancellation.suspend();
          } else {
            cancellation.cancel();
          }
        }
      }
    };
  }

  @Test
  void aListenerThatFailsEndsTheRunAndTheOthersLearnOfTheStep() {
    IllegalStateException failure = new IllegalStateException("disk full");
    TrainingListener failing =
        new TrainingListener() {
          @Override
          public String name() {
            return "uploader";
          }

          @Override
          public void onStep(StepReport step, TrainingControl control) {
            if (step.step() == 2) {
              throw failure;
            }
          }
        };
    assertThatThrownBy(() -> train(null, failing))
        .isInstanceOf(ListenerException.class)
        .hasCause(failure)
        .hasMessageStartingWith(
            "the listener uploader failed in onStep of step 2: java.lang.IllegalStateException:"
                + " disk full");
    assertThat(recorder.events).endsWith("step 2", "report 2 of 8");
  }

  @Test
  void aSecondFailureIsAddedToTheFirst() {
    IllegalStateException second = new IllegalStateException("second");
    assertThatThrownBy(
            () -> train(null, failing(new IllegalStateException("first")), failing(second)))
        .isInstanceOf(ListenerException.class)
        .hasMessageContaining("first")
        .hasSuppressedException(second);
    assertThat(of("step")).containsExactly("step 1");
  }

  private static TrainingListener failing(RuntimeException failure) {
    return new TrainingListener() {
      @Override
      public void onStep(StepReport step, TrainingControl control) {
        throw failure;
      }
    };
  }

  @Test
  void ofAFailedRunEachListenerLearnsAndTheirOwnFailuresAreKept() {
    List<Throwable> seen = new ArrayList<>();
    IllegalStateException own = new IllegalStateException("own");
    TrainingListener fails =
        new TrainingListener() {
          @Override
          public void onFailure(Throwable failure) {
            throw own;
          }
        };
    TrainingListener sees =
        new TrainingListener() {
          @Override
          public void onFailure(Throwable failure) {
            seen.add(failure);
          }
        };
    RuntimeException failure = new RuntimeException("run");
    new Listeners(List.of(fails, sees), cancellation).failed(failure);
    assertThat(seen).containsExactly(failure);
    assertThat(failure).hasSuppressedException(own);
  }

  /** An epoch has 5 micro-batches, of which a step takes 2, the third one 1. */
  @Test
  void reportsSayHowMuchOfTheDataWasUsed() {
    loggingSteps = 1;
    List<StepReport> steps = new ArrayList<>();
    List<StepReport> reports = new ArrayList<>();
    List<Double> evaluations = new ArrayList<>();
    train(
        evaluation(3, false),
        new TrainingListener() {
          @Override
          public void onStep(StepReport step, TrainingControl control) {
            steps.add(step);
          }

          @Override
          public void onReport(StepReport report, TrainingControl control) {
            reports.add(report);
          }

          @Override
          public void onEvaluation(EvaluationReport report, TrainingControl control) {
            evaluations.add(report.epoch());
          }
        });
    assertThat(steps)
        .extracting(StepReport::epoch)
        .containsExactly(0.4, 0.8, 1.0, 1.4, 1.8, 2.0, 2.4);
    assertThat(steps).extracting(StepReport::examples).containsExactly(4, 4, 2, 4, 4, 2, 4);
    assertThat(evaluations).containsExactly(0.0, 1.0, 2.0);
    long epoch = PAIRS.stream().mapToInt(EncodedExample::tokens).sum();
    assertThat(steps.get(2).numTokens()).isEqualTo(epoch);
    assertThat(steps.get(5).numTokens()).isEqualTo(2 * epoch);
    for (int i = 0; i < STEPS; i++) { // a report of one step repeats it
      assertThat(reports.get(i).epoch()).isEqualTo(steps.get(i).epoch());
      assertThat(reports.get(i).metrics()).isEqualTo(steps.get(i).metrics());
      assertThat(reports.get(i).gradNorm()).isEqualTo(steps.get(i).gradNorm()).isPositive();
      assertThat(reports.get(i).learningRate()).isEqualTo(1e-2);
      assertThat(reports.get(i).numTokens()).isEqualTo(steps.get(i).numTokens());
      assertThat(reports.get(i).maxSteps()).isEqualTo(steps.get(i).maxSteps()).isEqualTo(STEPS);
    }
  }

  /** All of it is within the run: steps take no time beside it, and each has two parts. */
  @Test
  void theTimesOfAReportAreTheMeansOfItsSteps() {
    List<StepReport> steps = new ArrayList<>();
    List<StepReport> reports = new ArrayList<>();
    long started = System.nanoTime();
    train(
        null,
        new TrainingListener() {
          @Override
          public void onStep(StepReport step, TrainingControl control) {
            steps.add(step);
          }

          @Override
          public void onReport(StepReport report, TrainingControl control) {
            reports.add(report);
          }
        });
    double elapsed = (System.nanoTime() - started) / 1e9;
    assertThat(steps)
        .allSatisfy(step -> assertThat(step.computeSeconds()).isBetween(1e-9, step.stepSeconds()));
    assertThat(steps.stream().mapToDouble(StepReport::stepSeconds).sum()).isLessThan(elapsed);
    for (int report = 0; report < 3; report++) {
      List<StepReport> covered = steps.subList(3 * report, Math.min(STEPS, 3 * report + 3));
      assertThat(reports.get(report).stepSeconds())
          .isCloseTo(mean(covered, StepReport::stepSeconds), within(1e-9));
      assertThat(reports.get(report).computeSeconds())
          .isCloseTo(mean(covered, StepReport::computeSeconds), within(1e-9));
    }
  }

  private static double mean(List<StepReport> steps, ToDoubleFunction<StepReport> seconds) {
    return steps.stream().mapToDouble(seconds).average().orElseThrow();
  }

  /** Suspended after step 2 and before its evaluation, which it does when it goes on. */
  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void whatASuspendedRunDidNotDoComesFirstWhenItGoesOn(boolean evaluatedBefore) {
    try (TrainingSession session = session()) {
      Trainer before = new Trainer(session);
      for (int i = 0; i < 4; i++) {
        before.advance();
      }
      assertThat(session.step()).isEqualTo(2);
      assertThat(session.microBatch()).isZero();
      Trainer trainer = trainer(session, evaluation(2, false));
      if (evaluatedBefore) {
        trainer.lastEvaluatedAt(2);
      }
      trainer.train();
    }
    assertThat(recorder.events.get(0)).isEqualTo(evaluatedBefore ? "step 3" : "evaluation 2 of 4");
    assertThat(of("evaluation")).endsWith("evaluation 4 of 4", "evaluation 6 of 4");
  }

  @Test
  void aRunThatGoesOnInTheMiddleOfAStepEvaluatesNothingFirst() {
    try (TrainingSession session = session()) {
      new Trainer(session).advance();
      trainer(session, evaluation(4, false)).train();
    }
    assertThat(recorder.events.get(0)).startsWith("step 1");
    assertThat(of("evaluation")).containsExactly("evaluation 4 of 4");
  }

  @Test
  void aSuspendedRunWithoutCheckpointsOfItsOwnSavesNone() {
    assertThat(train(null, cancelling(2, true))).isEqualTo(EndReason.SUSPENDED);
    assertThat(recorder.events).endsWith("step 2");
  }

  /** The last step is done: the run is complete, and is reported as such. */
  @Test
  void aRunThatIsSuspendedInItsLastStepIsComplete() {
    ownCheckpoints = true;
    assertThat(train(null, cancelling(STEPS, true))).isEqualTo(EndReason.COMPLETED);
    assertThat(recorder.events).endsWith("step 7", "report 7 of 4");
  }

  @Test
  void aListenerThatFailsInTheLastStepFailsTheRun() {
    TrainingListener failing =
        new TrainingListener() {
          @Override
          public void onStep(StepReport step, TrainingControl control) {
            if (step.step() == STEPS) {
              throw new IllegalStateException("late");
            }
          }
        };
    assertThatThrownBy(() -> train(null, failing)).isInstanceOf(ListenerException.class);
  }

  /** The caller of a trainer delivers both. */
  @Test
  void startAndEndReachAllListenersButThoseThatFailed() {
    List<String> ofFailing = new ArrayList<>();
    TrainingListener failing =
        new TrainingListener() {
          @Override
          public void onStart(TrainingStart start) {
            throw new IllegalStateException("no room");
          }

          @Override
          public void onEnd(TrainingResult result) {
            ofFailing.add("end");
          }
        };
    Listeners listeners = new Listeners(List.of(failing, recorder), cancellation);
    Path out = Path.of("out");
    listeners.start(new TrainingStart(10, 4, 0, 7, 3, 4, 100, 100, "sigmoid", 1, 42, out));
    assertThat(listeners.reasonToEnd()).isEqualTo(EndReason.LISTENER_FAILED);
    listeners.end(
        new TrainingResult(
            EndReason.LISTENER_FAILED,
            0,
            0,
            7,
            0,
            0,
            0,
            List.of(),
            List.of(),
            1,
            0,
            List.of(),
            out,
            List.of()));
    assertThat(recorder.events).containsExactly("start 10 4", "end LISTENER_FAILED");
    assertThat(ofFailing).isEmpty();
    assertThat(listeners.failure()).hasMessageContaining("failed in onStart: ");
  }
}
