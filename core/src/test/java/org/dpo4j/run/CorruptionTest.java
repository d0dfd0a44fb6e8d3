package org.dpo4j.run;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.dpo4j.run.RunFixture.fixture;
import static org.dpo4j.run.RunFixture.output;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.stream.Stream;
import org.dpo4j.DpoException;
import org.dpo4j.checkpoint.CheckpointFolders;
import org.dpo4j.checkpoint.DamagedCheckpointException;
import org.dpo4j.config.TrainingConfig;
import org.dpo4j.logprob.LengthDesensitizing;
import org.dpo4j.logprob.LogProbTable;
import org.dpo4j.reference.DamagedReferenceException;
import org.dpo4j.reference.ReferenceCache;
import org.dpo4j.reference.ReferenceFiles;
import org.dpo4j.reference.ReferenceKey;
import org.dpo4j.train.SmallPairs;
import org.dpo4j.weights.Checkpoint;
import org.dpo4j.weights.LoadedModel;
import org.dpo4j.weights.ModelReader;
import org.dpo4j.weights.PeftAdapter;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Closes: a damaged byte of a checkpoint, a cache or weights that changes numbers in silence, or
 * ends the process.
 *
 * <p>{@code -Ddpo4j.corruptions} is the number of damages in all; {@code -Ddpo4j.seed} draws
 * others.
 */
class CorruptionTest {

  private static final int KINDS = 6;
  private static final int EACH = Integer.getInteger("dpo4j.corruptions", 240) / KINDS;
  private static final long SEED = Long.getLong("dpo4j.seed", 42);

  private final Random random = new Random(SEED);
  private final Path folder;

  CorruptionTest(@TempDir Path folder) {
    this.folder = folder;
  }

  /** Whether a damage of a file was noticed when the file was read. */
  @FunctionalInterface
  private interface Reading {
    void read(Path damaged) throws IOException;
  }

  static Stream<Map<String, Object>> checkpoints() {
    return Stream.of(
        Map.of(),
        Map.of("use_peft", true),
        Map.of("sync_ref_model", true, "ref_model_sync_steps", 1));
  }

  @ParameterizedTest
  @MethodSource("checkpoints")
  void everyDamageOfACheckpointIsNoticedAndItsFileNamed(Map<String, Object> options)
      throws IOException {
    Map<String, Object> all = new LinkedHashMap<>(options);
    all.put("model", fixture("models/llama"));
    all.put("data_file", fixture("pairs32.jsonl"));
    all.put("output_dir", folder.resolve("out"));
    all.put("reference_cache", "off");
    all.put("max_steps", 1);
    all.put("save_steps", 1);
    all.put("sample_prompts", 0);
    all.put("threads", 1);
    all.put("max_length", 64);
    TrainingRun.run(TrainingConfig.of(all), output(new ByteArrayOutputStream()));
    Path checkpoint = folder.resolve("out/checkpoint-1");
    CheckpointFolders.verify(checkpoint);
    List<Path> files;
    try (Stream<Path> entries = Files.list(checkpoint)) {
      files = entries.sorted().toList();
    }
    damage(
        files,
        damaged ->
            assertThatThrownBy(() -> CheckpointFolders.verify(checkpoint))
                .isExactlyInstanceOf(DamagedCheckpointException.class)
                .hasMessageContaining(checkpoint.toString())
                .hasMessageContaining(String.valueOf(damaged.getFileName())));
    CheckpointFolders.verify(checkpoint);
  }

  @Test
  void everyDamageOfAReferenceCacheIsNoticed() throws IOException {
    ReferenceCache cache = new ReferenceCache(folder);
    ReferenceKey key =
        ReferenceKey.of(
            new ReferenceFiles("weights", "config", Optional.empty()),
            SmallPairs.random(3, 1),
            LengthDesensitizing.NONE,
            "float32");
    LogProbTable table =
        LogProbTable.of(new double[] {-1.1, -2.2, -3.3}, new double[] {-4.4, -0.0, -5.5});
    Path file = cache.keep(key, Map.of("use", "training"), table);
    damage(
        List.of(file),
        damaged ->
            assertThatThrownBy(() -> cache.find(key))
                .isExactlyInstanceOf(DamagedReferenceException.class));
    assertThat(cache.find(key)).isPresent();
  }

  @Test
  void everyDamageOfWeightsIsRefusedOrChangesTheIdentityOfTheModel() throws IOException {
    Path model = copy(fixture("models/llama"), folder.resolve("model"));
    String before = Checkpoint.open(model).sha256();
    int[] refused = new int[1];
    damage(
        List.of(model.resolve("model.safetensors")),
        damaged -> {
          try (LoadedModel loaded = ModelReader.open(model)) {
            assertThat(loaded.checkpoint().sha256()).isNotEqualTo(before);
          } catch (DpoException e) {
            assertThat(e).hasMessageContaining("model");
            refused[0]++;
          }
        });
    System.out.printf("weights: %d of %d refused%n", refused[0], EACH);
  }

  @Test
  void everyDamageOfAnAdapterIsRefusedOrChangesItsIdentity() throws IOException {
    Path adapter = copy(fixture("adapters/llama-r8"), folder.resolve("adapter"));
    String before = Checkpoint.openAdapter(adapter).sha256();
    int[] refused = new int[1];
    try (LoadedModel base = ModelReader.open(fixture("models/llama"))) {
      damage(
          List.of(adapter.resolve("adapter_model.safetensors")),
          damaged -> {
            try (PeftAdapter opened = PeftAdapter.open("adapter", adapter, base)) {
              assertThat(opened.model().trained().count()).isPositive();
              assertThat(Checkpoint.openAdapter(adapter).sha256()).isNotEqualTo(before);
            } catch (DpoException e) {
              assertThat(e).hasMessageContaining("adapter");
              refused[0]++;
            }
          });
    }
    System.out.printf("adapter: %d of %d refused%n", refused[0], EACH);
  }

  /** Damages one of the files, reads it and repairs it, many times. */
  private void damage(List<Path> files, Reading reading) throws IOException {
    System.out.printf("%d damages, seed %d%n", EACH, SEED);
    for (int i = 0; i < EACH; i++) {
      Path file = files.get(random.nextInt(files.size()));
      byte[] whole = Files.readAllBytes(file);
      int position = random.nextInt(whole.length);
      boolean cut = random.nextInt(8) == 0;
      byte[] damaged = cut ? Arrays.copyOf(whole, position) : whole.clone();
      int change = 1 + random.nextInt(255);
      if (!cut) {
        damaged[position] ^= (byte) change;
      }
      Files.write(file, damaged);
      try {
        reading.read(file);
      } catch (AssertionError | RuntimeException e) {
        throw new AssertionError(
            "%s, byte %d %s, -Ddpo4j.seed=%d"
                .formatted(file, position, cut ? "and all after it cut off" : "^ " + change, SEED),
            e);
      }
      Files.write(file, whole);
    }
  }

  private static Path copy(Path from, Path to) throws IOException {
    Files.createDirectory(to);
    try (Stream<Path> files = Files.list(from)) {
      for (Path file : files.toList()) {
        Files.copy(file, to.resolve(file.getFileName()));
      }
    }
    return to;
  }
}
