package org.dpo4j.run;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.dpo4j.run.RunFixture.fixture;
import static org.dpo4j.run.RunFixture.output;
import static org.dpo4j.run.RunFixture.text;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.stream.Stream;
import org.dpo4j.Cancellation;
import org.dpo4j.DpoException;
import org.dpo4j.SavedCheckpoint;
import org.dpo4j.TrainingListener;
import org.dpo4j.checkpoint.CheckpointFolders;
import org.dpo4j.checkpoint.OutputFolder;
import org.dpo4j.config.TrainingConfig;
import org.dpo4j.data.Sha256;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.DisabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * Closes: a full, broken or read-only disk, or the end of the process, at any change that a run
 * makes to the disk, after which something saved is lost, half a file passes for a whole one, or
 * the next command fails.
 *
 * <p>A sample of all changes and faults is tried. {@code -Ddpo4j.faults} is the size of the sample,
 * or {@code all}, which also prints the messages; {@code -Ddpo4j.seed} draws another sample.
 */
@DisabledOnOs(OS.WINDOWS)
class FailingDiskTest {

  private static final int STEPS = 6;
  private static final String SAMPLE = System.getProperty("dpo4j.faults", "6");
  private static final long SEED = Long.getLong("dpo4j.seed", 42);

  /** A run, and what its output folder holds before. */
  private enum Kind {
    MOVING_REFERENCE(
        Map.of("sync_ref_model", true, "ref_model_sync_steps", 2, "save_total_limit", 1)),
    ADAPTER(Map.of("use_peft", true, "lora_r", 4, "eval_split", 5, "save_total_limit", 2)),
    OVER_EARLIER_OUTPUT(
        Map.of("overwrite_output_dir", true, "reference_cache", "off", "report_to", "tensorboard")),
    CONTINUED(
        Map.of(
            "resume_from_checkpoint", true, "reference_cache", "off", "report_to", "tensorboard"));

    @SuppressWarnings("ImmutableEnumChecker") // the map of a constant
    private final Map<String, Object> options;

    Kind(Map<String, Object> options) {
      this.options = options;
    }
  }

  /** A change to the disk and how it fails. */
  private record Case(int change, Fault fault) {}

  private final Random random = new Random(SEED);

  /** How often each message was given, without what differs between runs. */
  private final SortedMap<String, Integer> messages = new TreeMap<>();

  private final Path folder;

  FailingDiskTest(@TempDir Path folder) throws IOException {
    this.folder = folder.toRealPath();
  }

  @ParameterizedTest
  @EnumSource
  void nothingSavedIsLostAndTheNextCommandWorks(Kind kind) throws IOException {
    Path before = folder.resolve("before");
    Files.createDirectory(before);
    prepare(kind, before.resolve("out"));
    copy(before, folder.resolve("whole"));
    FaultyDisk disk = new FaultyDisk(null, 0, random);
    run(disk.path(folder.resolve("whole/out")), kind.options, new Saved(disk));
    SortedMap<String, String> expected = weights(folder.resolve("whole/out"));

    List<Case> cases = cases(disk.changes());
    List<AssertionError> failures = new ArrayList<>();
    for (Case failing : cases) {
      Path place = folder.resolve("failing");
      copy(before, place);
      try {
        check(kind, failing, place.resolve("out"), expected);
      } catch (AssertionError | RuntimeException | IOException e) {
        failures.add(new AssertionError(failing.toString(), e));
      }
      delete(place);
    }
    System.out.printf(
        "%s: %d changes, %d cases, seed %d%n", kind, disk.changes().size(), cases.size(), SEED);
    if (SAMPLE.equals("all")) {
      messages.forEach((message, count) -> System.out.printf("%6d  %s%n", count, message));
    }
    if (!failures.isEmpty()) {
      AssertionError all =
          new AssertionError(
              "%d cases of %s failed, -Ddpo4j.seed=%d".formatted(failures.size(), kind, SEED));
      failures.forEach(all::addSuppressed);
      throw all;
    }
  }

  @Test
  void aCheckpointWhoseNameIsNotOnTheDeviceIsNotSavedAndTheOneThatItReplacesStays()
      throws IOException {
    Path out = folder.resolve("out");
    checkpoint(new FaultyDisk(null, 0, random), out, "first");
    Path copy = folder.resolve("copy");
    copy(out, copy);
    FaultyDisk whole = new FaultyDisk(null, 0, random);
    checkpoint(whole, copy, "second");
    int naming = whole.changes().lastIndexOf(Fault.Change.FORCE);

    FaultyDisk disk = new FaultyDisk(Fault.DEVICE, naming, random);
    assertThatThrownBy(() -> checkpoint(disk, out, "second"))
        .isInstanceOf(DpoException.class)
        .hasMessageContaining("checkpoint-1 could not be saved: Input/output error");
    assertThat(disk.failed()).isEqualTo("FORCE " + out);
    CheckpointFolders.verify(out.resolve("checkpoint-1"));
    assertThat(out.resolve("checkpoint-1/weights")).hasContent("first");
  }

  private static void checkpoint(FaultyDisk disk, Path out, String content) {
    try (OutputFolder output =
        OutputFolder.prepare(disk.path(out), OutputFolder.Existing.RESUME, List.of())) {
      output
          .checkpoints()
          .save(1, pending -> Files.writeString(pending.resolve("weights"), content));
    }
  }

  /** Of many writes to one file, the first, the last and one between them. */
  private List<Case> cases(List<Fault.Change> changes) {
    List<Case> cases = new ArrayList<>();
    int middle = 0;
    for (int i = 0; i < changes.size(); i++) {
      if (changes.get(i) == Fault.Change.WRITE) {
        int end = i;
        while (end + 1 < changes.size() && changes.get(end + 1) == Fault.Change.WRITE) {
          end++;
        }
        boolean first = i == 0 || changes.get(i - 1) != Fault.Change.WRITE;
        middle = first ? i + random.nextInt(end - i + 1) : middle;
        if (!first && i != middle && i != end) {
          continue;
        }
      }
      for (Fault fault : Fault.values()) {
        if (fault.affects(changes.get(i))) {
          cases.add(new Case(i, fault));
        }
      }
    }
    if (SAMPLE.equals("all")) {
      return cases;
    }
    Collections.shuffle(cases, random);
    return cases.subList(0, Math.min(cases.size(), Integer.parseInt(SAMPLE)));
  }

  private void prepare(Kind kind, Path out) throws IOException {
    if (kind == Kind.OVER_EARLIER_OUTPUT) {
      run(out, Map.of("reference_cache", "off", "beta", 0.1), new TrainingListener() {});
    } else if (kind == Kind.CONTINUED) {
      run(
          out,
          Map.of("reference_cache", "off", "report_to", "tensorboard"),
          new TrainingListener() {});
      delete(out.resolve("checkpoint-6"));
      Path damaged = out.resolve("checkpoint-4/optimizer.safetensors");
      byte[] bytes = Files.readAllBytes(damaged);
      bytes[bytes.length / 2] ^= 1;
      Files.write(damaged, bytes);
    }
  }

  private void check(Kind kind, Case failing, Path out, Map<String, String> expected)
      throws IOException {
    SortedMap<String, String> earlier = hashes(out);
    FaultyDisk disk = new FaultyDisk(failing.fault, failing.change, random);
    Saved saved = new Saved(disk);
    String failure = failure(() -> run(disk.path(out), kind.options, saved), failing, disk);
    boolean died = failing.fault == Fault.DEATH;
    if (died) {
      disk.loseUnforced(folder.resolve("failing"));
    }
    disk.heal();
    if (failure == null && !died) {
      assertThat(weights(out)).isEqualTo(expected);
    }

    // What the next run finds, and leaves if it fails at once. It has the same locks but if the
    // process died.
    Path next = died ? out : disk.path(out);
    OutputFolder.prepare(next, OutputFolder.Existing.RESUME, List.of()).close();
    SortedMap<String, String> left = hashes(out);
    assertThat(left.keySet()).as(disk.failed()).noneMatch(name -> name.startsWith(".dpo4j-"));
    for (Path checkpoint : checkpoints(out)) {
      if (!left.equals(earlier)) {
        assertWhole(kind, checkpoint);
      }
    }
    boolean continues = saved.last > 0 || kind != Kind.OVER_EARLIER_OUTPUT;
    assertThat(newest(out)).as(disk.failed()).isGreaterThanOrEqualTo(saved.last);
    if (kind == Kind.OVER_EARLIER_OUTPUT && !weights(out).equals(expected)) {
      assertThat(results(left)).as(disk.failed()).isEqualTo(results(earlier));
      if (checkpoints(out).stream().noneMatch(path -> isOf(path, 0.5))) {
        assertThat(left).as(disk.failed()).isEqualTo(earlier);
        continues = false;
      } else {
        continues = true;
      }
    }

    Map<String, Object> options = new LinkedHashMap<>(kind.options);
    if (continues) {
      options.put("resume_from_checkpoint", true);
    }
    String said = run(next, options, new TrainingListener() {});
    assertThat(weights(out)).as(disk.failed()).isEqualTo(expected);
    assertThat(hashes(out).keySet()).noneMatch(name -> name.startsWith(".dpo4j-"));
    if (saved.last > 0) {
      assertThat(said).as(disk.failed()).containsPattern("continues from|already");
    }
  }

  /** The damaged checkpoint of {@link Kind#CONTINUED} stays until it is replaced. */
  private static void assertWhole(Kind kind, Path checkpoint) throws IOException {
    if (kind != Kind.CONTINUED || CheckpointFolders.step(checkpoint) != 4) {
      CheckpointFolders.verify(checkpoint);
    }
  }

  private static int newest(Path out) throws IOException {
    return checkpoints(out).stream().mapToInt(CheckpointFolders::step).max().orElse(0);
  }

  private static boolean isOf(Path checkpoint, double beta) {
    try {
      return Files.readString(checkpoint.resolve("dpo4j.yaml")).contains("beta: " + beta);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** Runs until it fails; the message must be one for people. */
  private @Nullable String failure(Runnable run, Case failing, FaultyDisk disk) {
    try {
      run.run();
      messages.merge("%s: (none)".formatted(failing.fault), 1, Integer::sum);
      return null;
    } catch (FaultyDisk.Death e) {
      assertThat(failing.fault).isEqualTo(Fault.DEATH);
      return "died";
    } catch (DpoException e) {
      String message = String.valueOf(e.getMessage());
      assertThat(message)
          .as(disk.failed())
          .contains(failing.fault.reason())
          .contains(folder.resolve("failing").toString())
          .containsPattern("; .*(make room|name another folder|resume_from_checkpoint|next run)")
          .doesNotContain("Exception");
      messages.merge(
          "%s: %s"
              .formatted(
                  failing.fault,
                  message
                      .replace(folder.resolve("failing").toString(), "")
                      .replaceAll("[0-9a-f]{8}-[0-9a-f-]{27}", "ID")),
          1,
          Integer::sum);
      return message;
    }
  }

  /** The last checkpoint that was announced; it must be on the device. */
  private static final class Saved implements TrainingListener {
    private final FaultyDisk disk;
    private int last;

    private Saved(FaultyDisk disk) {
      this.disk = disk;
    }

    @Override
    public void onCheckpoint(SavedCheckpoint saved) {
      last = saved.step();
      try {
        assertThat(disk.unforced(saved.folder())).isEmpty();
      } catch (IOException e) {
        throw new UncheckedIOException(e);
      }
    }
  }

  private String run(Path out, Map<String, Object> options, TrainingListener listener) {
    Map<String, Object> all = new LinkedHashMap<>();
    all.put("model", fixture("models/llama"));
    all.put("data_file", fixture("pairs32.jsonl"));
    all.put("output_dir", out);
    all.put("beta", 0.5);
    all.put("learning_rate", 1e-3);
    all.put("max_steps", STEPS);
    all.put("save_steps", 2);
    all.put("save_total_limit", 0);
    all.put("logging_steps", 2);
    all.put("per_device_train_batch_size", 2);
    all.put("sample_prompts", 0);
    all.put("threads", 1);
    all.put("max_length", 64);
    all.putAll(options);
    ByteArrayOutputStream said = new ByteArrayOutputStream();
    TrainingRun.run(
        at(out, TrainingConfig.of(all)),
        ProgramInputs.NONE,
        output(said),
        new Cancellation(),
        List.of(listener));
    return text(said);
  }

  /** Options are texts; this keeps the file system of the path. */
  private static TrainingConfig at(Path out, TrainingConfig config) {
    TrainingConfig.Output output = config.output();
    return new TrainingConfig(
        config.model(),
        config.lora(),
        config.data(),
        config.template(),
        config.loss(),
        config.optimizer(),
        config.schedule(),
        config.batching(),
        config.evaluation(),
        new TrainingConfig.Output(
            out,
            output.overwriteOutputDir(),
            output.saveDtype(),
            output.loggingSteps(),
            output.logFormat(),
            output.reportTo(),
            output.runName(),
            output.ledger(),
            output.samplePrompts(),
            output.ui()),
        config.checkpoints(),
        config.engine());
  }

  private static List<Path> checkpoints(Path out) throws IOException {
    if (Files.notExists(out)) {
      return List.of();
    }
    try (Stream<Path> entries = Files.list(out)) {
      return entries
          .filter(entry -> String.valueOf(entry.getFileName()).startsWith("checkpoint-"))
          .toList();
    }
  }

  /** SHA-256 of all files of a folder by their paths in it. */
  private static SortedMap<String, String> hashes(Path root) throws IOException {
    SortedMap<String, String> hashes = new TreeMap<>();
    if (Files.exists(root)) {
      try (Stream<Path> all = Files.walk(root)) {
        for (Path path : all.filter(Files::isRegularFile).toList()) {
          hashes.put(root.relativize(path).toString(), Sha256.of(path));
        }
      }
    }
    return hashes;
  }

  private static SortedMap<String, String> weights(Path out) throws IOException {
    SortedMap<String, String> weights = hashes(out);
    weights.keySet().removeIf(name -> name.contains("/") || !name.endsWith(".safetensors"));
    return weights;
  }

  /** Files of the finished run alone. */
  private static SortedMap<String, String> results(SortedMap<String, String> hashes) {
    SortedMap<String, String> results = new TreeMap<>(hashes);
    results
        .keySet()
        .removeIf(
            name ->
                name.startsWith("checkpoint-")
                    || name.startsWith("runs/")
                    || name.equals("ledger.jsonl")
                    || name.equals("metrics.jsonl"));
    return results;
  }

  private static void copy(Path from, Path to) throws IOException {
    try (Stream<Path> all = Files.walk(from)) {
      for (Path path : all.toList()) {
        Files.copy(path, to.resolve(from.relativize(path)));
      }
    }
  }

  private static void delete(Path root) throws IOException {
    try (Stream<Path> all = Files.walk(root)) {
      Path[] paths = all.toArray(Path[]::new);
      Collections.reverse(Arrays.asList(paths));
      for (Path path : paths) {
        Files.delete(path);
      }
    }
  }
}
