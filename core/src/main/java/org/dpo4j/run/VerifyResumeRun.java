package org.dpo4j.run;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Stream;
import org.dpo4j.Cancellation;
import org.dpo4j.DpoException;
import org.dpo4j.EndReason;
import org.dpo4j.EvaluationReport;
import org.dpo4j.OptionText;
import org.dpo4j.StepReport;
import org.dpo4j.TrainingControl;
import org.dpo4j.TrainingListener;
import org.dpo4j.TrainingResult;
import org.dpo4j.TrainingStart;
import org.dpo4j.UsageException;
import org.dpo4j.checkpoint.FileTrees;
import org.dpo4j.config.TrainingConfig;
import org.dpo4j.data.FileFailure;
import org.dpo4j.data.Sha256;
import org.dpo4j.report.RunOutput;

/**
 * Shows that a run, stopped and continued, gives the same bytes as one without a break: does the
 * first steps of a run twice, once in one piece and once with a break in the middle, and compares
 * the checkpoints after them.
 */
public final class VerifyResumeRun {

  /** Steps that are compared, unless the run has fewer. */
  private static final int STEPS = 10;

  private final TrainingConfig config;
  private final RunOutput output;

  private VerifyResumeRun(TrainingConfig config, RunOutput output) {
    this.config = config;
    this.output = output;
  }

  /**
   * Runs the comparison beside the output folder, in a folder that it deletes.
   *
   * @param config a training run; nothing is written into its output folder
   * @param output receives what is compared, and the result
   * @throws UsageException if the run has fewer than three steps
   * @throws DpoException if the bytes differ
   */
  public static void run(TrainingConfig config, RunOutput output) {
    RankRun.requireOne("verify-resume");
    new VerifyResumeRun(config, output).run();
  }

  private void run() {
    Path target = config.output().outputDir().toAbsolutePath().normalize();
    Path folder = target.resolveSibling(target.getFileName() + ".verify-resume");
    if (Files.exists(folder)) {
      throw new UsageException(
          "output_dir",
          "must have no folder beside it with the name of the check",
          "%s is there".formatted(folder),
          "delete it");
    }
    try (InterruptedOutput interruption =
        InterruptedOutput.watch(
            output,
            () -> {
              delete(folder);
              return "interrupted: nothing was compared";
            })) {
      TrainingResult whole = train(folder.resolve("whole"), false, STEPS);
      int steps = whole.steps();
      output.out().printf("%d steps without a break%n", steps);
      TrainingResult first = train(folder.resolve("broken"), false, steps / 2);
      TrainingResult rest = train(folder.resolve("broken"), true, steps);
      output
          .out()
          .printf("%d steps, a checkpoint, and %d more%n", first.steps(), steps - first.steps());
      compare(whole, rest, folder, "checkpoint-" + steps);
    } finally {
      delete(folder);
    }
  }

  private void delete(Path folder) {
    try {
      FileTrees.delete(folder);
    } catch (IOException e) {
      output.warn("%s could not be deleted: %s".formatted(folder, FileFailure.reason(e)));
    }
  }

  /** Does steps until {@code last}, or one less than the run has, and saves a checkpoint. */
  private TrainingResult train(Path folder, boolean resume, int last) {
    Cancellation cancellation = new Cancellation();
    TrainingListener suspending =
        new TrainingListener() {
          private int end;

          @Override
          public void onStart(TrainingStart start) {
            end = Math.min(last, start.maxSteps() - 1);
          }

          @Override
          public void onStep(StepReport step, TrainingControl control) {
            output.progress().update("verify-resume", step.step(), Math.max(end, step.step()), "");
            if (step.step() == end) {
              cancellation.suspend();
            }
          }
        };
    Map<String, Object> options = new LinkedHashMap<>(TrainingConfig.OPTIONS.write(config));
    options.put("output_dir", folder);
    options.put("overwrite_output_dir", false);
    options.put("save_strategy", "steps");
    options.put("save_steps", Integer.MAX_VALUE);
    options.put("save_only_model", false);
    options.put("load_best_model_at_end", false);
    options.put("early_stopping_patience", 0);
    options.remove("guard");
    options.put("report_to", "none");
    options.put("resume_from_checkpoint", "true");
    if (!resume) {
      options.remove("resume_from_checkpoint");
    }
    TrainingResult result =
        TrainingRun.run(
            TrainingConfig.of(options),
            ProgramInputs.NONE,
            RunOutput.silent(output.progress()),
            cancellation,
            List.of(suspending));
    if (result.endReason() != EndReason.SUSPENDED) {
      throw new UsageException(
          "max_steps",
          "must be at least 3 to be broken in the middle",
          "gives %s".formatted(StepDescriptions.steps(result.maxSteps())),
          OptionText.of("raise {max_steps} or {num_train_epochs}"));
    }
    return result;
  }

  private void compare(
      TrainingResult whole, TrainingResult broken, Path folder, String checkpoint) {
    List<String> different = new ArrayList<>();
    Map<String, String> expected = hashes(folder.resolve("whole").resolve(checkpoint));
    Map<String, String> found = hashes(folder.resolve("broken").resolve(checkpoint));
    expected.forEach(
        (name, hash) -> {
          boolean same = hash.equals(found.get(name));
          output.out().printf("  %-28s %s%n", name, same ? "same bytes" : "DIFFERENT");
          if (!same) {
            different.add(name);
          }
        });
    if (!untimed(whole.reports()).equals(untimed(broken.reports()))
        || !untimedEvaluations(whole).equals(untimedEvaluations(broken))) {
      different.add("the logged metrics");
    }
    if (!different.isEmpty()) {
      throw new DpoException(
          "a continued run must give the bytes of one without a break but %s differed; please report"
                  .formatted(String.join(", ", different))
              + " this with the options of the run");
    }
    output
        .out()
        .printf(
            "the run can be continued from a checkpoint with the same bytes: weights, optimizer and"
                + " %d logged lines%n",
            whole.reports().size() + whole.evaluations().size());
  }

  private static Map<String, String> hashes(Path checkpoint) {
    Map<String, String> hashes = new TreeMap<>();
    try (Stream<Path> files = Files.list(checkpoint)) {
      for (Path file : files.toList()) {
        String name = file.getFileName().toString();
        if (name.endsWith(".safetensors")) {
          hashes.put(name, Sha256.of(file));
        }
      }
    } catch (IOException e) {
      throw new DpoException(
          "[%s] could not be read: %s".formatted(checkpoint, FileFailure.reason(e)), e);
    }
    return hashes;
  }

  private static List<StepReport> untimed(List<StepReport> reports) {
    return reports.stream()
        .map(
            report ->
                new StepReport(
                    report.step(),
                    report.maxSteps(),
                    report.epoch(),
                    report.examples(),
                    report.metrics(),
                    report.gradNorm(),
                    report.learningRate(),
                    report.numTokens(),
                    0,
                    0))
        .toList();
  }

  private static List<EvaluationReport> untimedEvaluations(TrainingResult result) {
    return result.evaluations().stream()
        .map(
            report ->
                new EvaluationReport(
                    report.step(),
                    report.epoch(),
                    report.dataset(),
                    report.metrics(),
                    report.examples(),
                    0))
        .toList();
  }
}
