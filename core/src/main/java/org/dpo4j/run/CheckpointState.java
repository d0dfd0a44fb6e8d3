package org.dpo4j.run;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.dpo4j.DpoException;
import org.dpo4j.EvaluationReport;
import org.dpo4j.StepReport;
import org.dpo4j.checkpoint.DamagedCheckpointException;
import org.dpo4j.data.BoundedJson;
import org.dpo4j.report.EarlyAccuracy;
import org.dpo4j.train.TrainingSnapshot;
import org.jspecify.annotations.Nullable;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ObjectNode;

/**
 * The file {@code dpo4j_state.json} of a checkpoint: everything of a run besides its tensors.
 * {@code docs/reference/checkpoints.md} describes the format.
 *
 * @param format {@link #FORMAT}
 * @param version {@link #VERSION}
 * @param writtenBy version of dpo4j
 * @param numbers position, counters and metric sums
 * @param maxSteps planned steps
 * @param layout name and shape of each trained parameter, in the order of the flat tensors
 * @param identity hashes of what the run reads, by name
 * @param options all options, as texts
 * @param threads of the engine
 * @param ranks processes that trained together
 * @param seconds wall time of the run so far
 * @param referenceSeconds the part of it that reference log-probabilities took
 * @param startLoss loss before the first update; null where theory does not give it
 * @param reports logged steps
 * @param evaluations evaluations
 * @param early count of early pairs that were ranked right
 * @param warnings of the run so far
 */
public record CheckpointState(
    String format,
    int version,
    String writtenBy,
    TrainingSnapshot.Numbers numbers,
    int maxSteps,
    List<String> layout,
    Map<String, String> identity,
    Map<String, String> options,
    int threads,
    int ranks,
    double seconds,
    double referenceSeconds,
    @Nullable Double startLoss,
    List<StepReport> reports,
    List<EvaluationReport> evaluations,
    EarlyAccuracy.Count early,
    List<String> warnings) {

  /** Its name in the folder of a checkpoint. */
  public static final String FILE = "dpo4j_state.json";

  /** The value of its first field. */
  public static final String FORMAT = "dpo4j-checkpoint";

  /** The version of the format that this build reads and writes. */
  public static final int VERSION = 2;

  private static final JsonMapper JSON = BoundedJson.strict().build();

  /** Writes the file into the folder of a checkpoint. */
  public void write(Path folder) throws IOException {
    Files.writeString(folder.resolve(FILE), JSON.writeValueAsString(this));
  }

  /**
   * Reads the state of a checkpoint.
   *
   * @throws DpoException if it is of another format
   * @throws DamagedCheckpointException if it is not as this class writes it
   */
  public static CheckpointState read(Path folder) throws IOException {
    byte[] text = Files.readAllBytes(folder.resolve(FILE)); // the parser names what is not UTF-8
    try {
      JsonNode tree = JSON.readTree(text);
      int version = tree.path("version").asInt(0);
      if (!tree.path("format").asString("").equals(FORMAT) || version < 1) {
        throw new DamagedCheckpointException(folder, FILE + " is not a state of dpo4j");
      }
      if (version > VERSION) {
        throw new DpoException(
            "[%s] checkpoint format %d is newer than this build reads (%d); use the dpo4j that wrote it (%s) or a later one"
                .formatted(folder, version, VERSION, tree.path("writtenBy").asString("unknown")));
      }
      if (version < VERSION) {
        throw new DpoException(
            "[%s] checkpoint format %d is older than this build reads (%d); finish the run with the dpo4j that wrote it (%s), or start it again"
                .formatted(folder, version, VERSION, tree.path("writtenBy").asString("unknown")));
      }
      for (JsonNode evaluation : tree.path("evaluations")) {
        if (evaluation instanceof ObjectNode report && !report.has("dataset")) {
          report.put("dataset", ""); // written before evaluation sets had names
        }
      }
      if (tree instanceof ObjectNode state && !state.has("ranks")) {
        state.put("ranks", 1); // written before there were several
      }
      return JSON.treeToValue(tree, CheckpointState.class);
    } catch (JacksonException e) {
      throw new DamagedCheckpointException(
          folder, FILE + " could not be read: " + e.getOriginalMessage());
    }
  }
}
