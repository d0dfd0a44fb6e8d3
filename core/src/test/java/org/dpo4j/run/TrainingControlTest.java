package org.dpo4j.run;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;
import static org.dpo4j.run.RunFixture.fixture;
import static org.dpo4j.run.RunFixture.output;
import static org.dpo4j.run.RunFixture.text;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CountDownLatch;
import java.util.stream.Stream;
import org.dpo4j.Cancellation;
import org.dpo4j.DpoException;
import org.dpo4j.EndReason;
import org.dpo4j.EvaluationReport;
import org.dpo4j.EventRecorder;
import org.dpo4j.ListenerException;
import org.dpo4j.StepReport;
import org.dpo4j.TrainingControl;
import org.dpo4j.TrainingListener;
import org.dpo4j.TrainingResult;
import org.dpo4j.TrainingStart;
import org.dpo4j.config.TrainingConfig;
import org.dpo4j.tokenizer.TextReplacement;
import org.dpo4j.tokenizer.TextTokenizer;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * Closes: a Java program that cannot follow, steer or end a run, and trained weights that are lost
 * because a listener failed.
 *
 * <p>Every run has 5 steps of 4 of its 23 pairs at a constant learning rate, so that one that ends
 * after step 2 must have the bytes of one that was planned with 2 steps.
 */
class TrainingControlTest {

  private static final int STEPS = 5;

  private final Path folder;
  private final ByteArrayOutputStream console = new ByteArrayOutputStream();

  TrainingControlTest(@TempDir Path folder) {
    this.folder = folder;
  }

  @Test
  void eventsComeInTheDocumentedOrder() throws IOException {
    EventRecorder recorder = new EventRecorder();
    run("out", STEPS, new Cancellation(), recorder);
    assertThat(recorder.events)
        .containsExactly(
            "start 23 4",
            "evaluation 0 of 4",
            "check",
            "step 1",
            "step 2",
            "report 2 of 8",
            "evaluation 2 of 4",
            "step 3",
            "step 4",
            "report 4 of 8",
            "evaluation 4 of 4",
            "step 5",
            "report 5 of 4",
            "evaluation 5 of 4",
            "end COMPLETED");
  }

  @Test
  void theResultSaysWhatTheRunDidAndWhereThingsAre() throws IOException {
    TrainingResult result = run("out", STEPS, new Cancellation());
    assertThat(result.endReason()).isEqualTo(EndReason.COMPLETED);
    assertThat(result.steps()).isEqualTo(STEPS);
    assertThat(result.maxSteps()).isEqualTo(STEPS);
    assertThat(result.examplesSeen()).isEqualTo(20);
    assertThat(result.epoch()).isEqualTo(5 / 6.0);
    assertThat(result.numTokens()).isEqualTo(result.finalReport().orElseThrow().numTokens());
    assertThat(result.reports()).extracting(StepReport::step).containsExactly(2, 4, 5);
    assertThat(result.evaluations()).extracting(EvaluationReport::step).containsExactly(0, 2, 4, 5);
    assertThat(result.initialEvaluation().orElseThrow().step()).isZero();
    assertThat(result.finalEvaluation().orElseThrow().step()).isEqualTo(5);
    double best = result.bestEvaluation().orElseThrow().metrics().loss();
    assertThat(result.evaluations())
        .allSatisfy(report -> assertThat(report.metrics().loss()).isGreaterThanOrEqualTo(best));
    assertThat(result.seconds()).isGreaterThan(result.referenceSeconds());
    assertThat(result.outputFolder()).isEqualTo(folder.resolve("out").toRealPath());
    try (Stream<Path> files = Files.list(result.outputFolder())) {
      assertThat(result.files()).containsExactlyElementsOf(files.sorted().toList());
    }
    assertThat(result.files()).contains(result.outputFolder().resolve("model.safetensors"));
  }

  @Test
  void aListenerStopsTheRunAfterItsStepWithTheWeightsSaved() throws IOException {
    EventRecorder recorder =
        new EventRecorder() {
          @Override
          public void onStep(StepReport step, TrainingControl control) {
            super.onStep(step, control);
            if (step.step() == 3) {
              control.requestStop();
            }
          }
        };
    TrainingResult result = run("out", STEPS, new Cancellation(), recorder);
    assertThat(result.endReason()).isEqualTo(EndReason.STOPPED_BY_LISTENER);
    assertThat(result.steps()).isEqualTo(3);
    assertThat(result.maxSteps()).isEqualTo(STEPS);
    assertThat(result.reports()).extracting(StepReport::step).containsExactly(2, 3);
    assertThat(recorder.events)
        .endsWith("step 3", "report 3 of 4", "evaluation 3 of 4", "end STOPPED_BY_LISTENER");
    assertThat(text(console)).contains("done: 3 of 5 steps in ", ", stopped by a listener");
    assertThat(weights("out")).isEqualTo(weightsOfARunOf(3));
  }

  /** The other thread acts while the listener waits in step 2, so the third is never begun. */
  @Test
  void anotherThreadCancelsTheRunAfterItsStepWithTheWeightsSaved() throws Exception {
    Cancellation cancellation = new Cancellation();
    CountDownLatch reached = new CountDownLatch(1);
    CountDownLatch cancelled = new CountDownLatch(1);
    Thread other =
        new Thread(
            () -> {
              await(reached);
              cancellation.cancel();
              cancelled.countDown();
            });
    other.start();
    TrainingResult result =
        run(
            "out",
            STEPS,
            cancellation,
            new TrainingListener() {
              @Override
              public void onStep(StepReport step, TrainingControl control) {
                if (step.step() == 2) {
                  reached.countDown();
                  await(cancelled);
                }
              }
            });
    other.join();
    assertThat(result.endReason()).isEqualTo(EndReason.CANCELLED);
    assertThat(result.steps()).isEqualTo(2);
    assertThat(weights("out")).isEqualTo(weightsOfARunOf(2));
  }

  @Test
  void aRunCancelledBeforeItsFirstStepSavesNothing() throws IOException {
    Cancellation cancellation = new Cancellation();
    cancellation.cancel();
    TrainingResult result = run("out", STEPS, cancellation);
    assertThat(result.endReason()).isEqualTo(EndReason.CANCELLED);
    assertThat(result.steps()).isZero();
    assertThat(result.files()).isEmpty();
    assertThat(folder.resolve("out")).doesNotExist();
  }

  @Test
  void aFailingListenerStopsTheRunWithItsNameAndTheWeightsSaved() throws IOException {
    EventRecorder recorder = new EventRecorder();
    TrainingListener failing =
        new TrainingListener() {
          @Override
          public String name() {
            return "live page";
          }

          @Override
          public void onReport(StepReport report, TrainingControl control) {
            throw new IllegalStateException("no connection");
          }

          @Override
          public void onEvaluation(EvaluationReport report, TrainingControl control) {
            assertThat(report.step()).as("no event after the failure").isZero();
          }
        };
    ListenerException failure =
        catchThrowableOfType(
            ListenerException.class,
            () -> run("out", STEPS, new Cancellation(), failing, recorder));
    assertThat(failure)
        .hasMessageContaining("the listener live page failed in onReport of step 2")
        .hasMessageContaining("no connection")
        .hasMessageContaining("the weights after 2 of 5 steps are saved in " + folder)
        .hasCauseInstanceOf(IllegalStateException.class);
    assertThat(failure.listener()).isEqualTo("live page");
    TrainingResult result = failure.result().orElseThrow();
    assertThat(result.endReason()).isEqualTo(EndReason.LISTENER_FAILED);
    assertThat(result.steps()).isEqualTo(2);
    assertThat(recorder.events)
        .endsWith("step 2", "report 2 of 8", "evaluation 2 of 4", "failure ListenerException");
    assertThat(weights("out")).isEqualTo(weightsOfARunOf(2));
  }

  @Test
  void aListenerThatFailsBeforeTheFirstStepLeavesNothingBehind() {
    TrainingListener failing =
        new TrainingListener() {
          @Override
          public void onStart(TrainingStart start) {
            throw new IllegalStateException("no page");
          }
        };
    ListenerException failure =
        catchThrowableOfType(
            ListenerException.class, () -> run("out", STEPS, new Cancellation(), failing));
    assertThat(failure)
        .hasMessageContaining("failed in onStart")
        .hasMessageContaining("nothing was saved");
    assertThat(failure.listener()).isEqualTo(failing.getClass().getName());
    assertThat(failure.result()).isEmpty();
    assertThat(folder.resolve("out")).doesNotExist();
  }

  @Test
  void aListenerThatFailsAtTheEndKeepsTheResult() throws IOException {
    TrainingListener failing =
        new TrainingListener() {
          @Override
          public void onEnd(TrainingResult result) {
            throw new IllegalStateException("no mail");
          }
        };
    ListenerException failure =
        catchThrowableOfType(
            ListenerException.class, () -> run("out", 2, new Cancellation(), failing));
    assertThat(failure.result().orElseThrow().endReason()).isEqualTo(EndReason.COMPLETED);
    assertThat(weights("out")).isEqualTo(weightsOfARunOf(2));
  }

  @Test
  void everyListenerLearnsOfAFailedRun() {
    EventRecorder recorder = new EventRecorder();
    Map<String, Object> options = options("out", STEPS);
    options.put("model", folder);
    DpoException failure =
        catchThrowableOfType(
            DpoException.class,
            () -> TrainingRun.run(TrainingConfig.of(options), output(console), recorder));
    assertThat(recorder.events).containsExactly("failure " + failure.getClass().getSimpleName());
  }

  /** Evaluations are due after steps 2 and 4; a request for one that is due adds none. */
  @Test
  void aListenerGetsTheEvaluationAndTheCheckpointThatItRequests() throws IOException {
    EventRecorder recorder =
        new EventRecorder() {
          @Override
          public void onStep(StepReport step, TrainingControl control) {
            super.onStep(step, control);
            if (step.step() <= 2) {
              control.requestEvaluation();
            }
            if (step.step() == 3) {
              control.requestCheckpoint();
            }
          }

          @Override
          public void onEvaluation(EvaluationReport report, TrainingControl control) {
            super.onEvaluation(report, control);
            control.requestEvaluation(); // of the same weights: ignored
          }
        };
    run("out", STEPS, new Cancellation(), recorder);
    assertThat(recorder.events)
        .containsSubsequence(
            "step 1",
            "evaluation 1 of 4",
            "step 2",
            "evaluation 2 of 4",
            "step 3",
            "checkpoint 3",
            "step 4")
        .filteredOn(event -> event.startsWith("evaluation"))
        .containsExactly(
            "evaluation 0 of 4",
            "evaluation 1 of 4",
            "evaluation 2 of 4",
            "evaluation 4 of 4",
            "evaluation 5 of 4");
  }

  @Test
  void aRunOutOfMemoryFailsWithTheSettingToChangeForCallerAndListeners() {
    List<Throwable> delivered = new ArrayList<>();
    TextTokenizer noMemory =
        new TextTokenizer() {
          @Override
          public int[] encode(String text, boolean addSpecialTokens) {
            throw new OutOfMemoryError("Java heap space");
          }

          @Override
          public String decode(int[] ids) {
            return "";
          }
        };
    ProgramInputs inputs =
        new ProgramInputs(Optional.empty(), Optional.empty(), new TextReplacement(noMemory, null));
    DpoException failure =
        catchThrowableOfType(
            DpoException.class,
            () ->
                TrainingRun.run(
                    TrainingConfig.of(options("out", STEPS)),
                    inputs,
                    output(console),
                    new Cancellation(),
                    List.of(
                        new TrainingListener() {
                          @Override
                          public void onFailure(Throwable thrown) {
                            delivered.add(thrown);
                          }
                        })));
    assertThat(failure)
        .hasMessageContaining("out of memory in the Java heap")
        .hasMessageContaining("DPO4J_JAVA_OPTS=-Xmx")
        .hasCauseInstanceOf(OutOfMemoryError.class);
    assertThat(delivered).containsExactly(failure);
  }

  private byte[] weightsOfARunOf(int steps) throws IOException {
    run("planned", steps, new Cancellation());
    return weights("planned");
  }

  private byte[] weights(String name) throws IOException {
    return Files.readAllBytes(folder.resolve(name).resolve("model.safetensors"));
  }

  private TrainingResult run(
      String name, int steps, Cancellation cancellation, TrainingListener... listeners)
      throws IOException {
    return TrainingRun.run(
        TrainingConfig.of(options(name, steps)),
        ProgramInputs.NONE,
        output(console),
        cancellation,
        List.of(listeners));
  }

  private Map<String, Object> options(String name, int steps) {
    Map<String, Object> options = new HashMap<>();
    options.put("model", fixture("models/llama"));
    options.put("data_file", fixture("pairs32.jsonl"));
    options.put("output_dir", folder.resolve(name));
    options.put("save_dtype", "float32");
    options.put("reference_cache", "off");
    options.put("sample_prompts", 0);
    options.put("max_length", 128);
    options.put("eval_split", 4);
    options.put("eval_strategy", "steps");
    options.put("eval_steps", 2);
    options.put("lr_scheduler_type", "constant");
    options.put("learning_rate", 1e-3);
    options.put("max_steps", steps);
    options.put("logging_steps", 2);
    options.put("per_device_train_batch_size", 4);
    options.put("threads", 1);
    return options;
  }

  private static void await(CountDownLatch latch) {
    try {
      latch.await();
    } catch (InterruptedException e) {
      throw new IllegalStateException(e);
    }
  }
}
