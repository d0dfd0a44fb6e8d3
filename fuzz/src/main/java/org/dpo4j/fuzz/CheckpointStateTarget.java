package org.dpo4j.fuzz;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.util.List;
import java.util.Map;
import org.dpo4j.EvaluationReport;
import org.dpo4j.ExampleKind;
import org.dpo4j.StepReport;
import org.dpo4j.TrainingMetrics;
import org.dpo4j.report.EarlyAccuracy;
import org.dpo4j.run.CheckpointState;
import org.dpo4j.train.MetricSums;
import org.dpo4j.train.TrainingSnapshot;

/** The state of a checkpoint, {@code dpo4j_state.json}. */
public final class CheckpointStateTarget {
  private static final Scratch SCRATCH = new Scratch();

  private CheckpointStateTarget() {}

  /** A state with one entry in each list. */
  static byte[] seed() {
    TrainingMetrics metrics =
        new TrainingMetrics(
            ExampleKind.PAIRS, 0.69, 0.1, -0.1, 0.5, 0.2, -9, -8, -1, -2, 3, 0.25, Double.NaN);
    CheckpointState state =
        new CheckpointState(
            CheckpointState.FORMAT,
            CheckpointState.VERSION,
            "0.1.0",
            new TrainingSnapshot.Numbers(
                42, 2, 0, 1, 24, 4059, 0.5, MetricSums.NONE, MetricSums.NONE),
            9,
            List.of("model.embed_tokens.weight[64, 16]"),
            Map.of("the model", "9d272b3d"),
            Map.of("beta", "0.1"),
            2,
            1,
            1.5,
            0.5,
            0.6931471805599453,
            List.of(new StepReport(2, 9, 0.25, 16, metrics, 0.5, 1e-3, 4059, 0.5, 0.25)),
            List.of(new EvaluationReport(2, 0.25, "", metrics, 5, 0.01)),
            new EarlyAccuracy.Count(8, 7),
            List.of("a warning"));
    Scratch scratch = new Scratch();
    try {
      state.write(scratch.folder());
      return Files.readAllBytes(scratch.path(CheckpointState.FILE));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** Reads one input; whether it was accepted. */
  public static boolean fuzz(byte[] input) throws Exception {
    SCRATCH.write(CheckpointState.FILE, input);
    return Refusal.orResult(() -> CheckpointState.read(SCRATCH.folder()));
  }

  /** What Jazzer calls. */
  public static void fuzzerTestOneInput(byte[] input) throws Exception {
    fuzz(input);
  }
}
