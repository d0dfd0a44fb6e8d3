package org.dpo4j.run;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.dpo4j.run.RunFixture.fixture;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.dpo4j.DpoException;
import org.dpo4j.UsageException;
import org.dpo4j.config.TrainingConfig;
import org.dpo4j.report.RunOutput;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Closes: a reference that is computed again for nothing, or not computed where it must be. */
class ReferenceCacheRunTest {

  private final Path folder;
  private final Path model;
  private final Path data;
  private final List<Integer> computed = new ArrayList<>();

  ReferenceCacheRunTest(@TempDir Path folder) throws IOException {
    this.folder = folder;
    model = Files.createDirectory(folder.resolve("model"));
    try (Stream<Path> files = Files.list(fixture("models/llama"))) {
      for (Path file : files.toList()) {
        Files.copy(file, model.resolve(file.getFileName().toString()));
      }
    }
    data = Files.copy(fixture("pairs32.jsonl"), folder.resolve("pairs.jsonl"));
  }

  @Test
  void aSecondRunWithOtherSettingsOfTheLossComputesNothingAndTrainsTheSame() throws IOException {
    String first = train("first", Map.of("eval_split", 4, "eval_strategy", "epoch"));
    assertThat(computed).containsExactly(23, 4);
    assertThat(first)
        .contains("reference cache: 23 training pairs computed and kept in " + cache())
        .contains("reference cache: 4 held-out pairs computed and kept in " + cache());
    assertThat(cacheFiles()).hasSize(2);

    Map<String, Object> same = Map.of("eval_split", 4, "eval_strategy", "epoch");
    String again = train("again", same);
    assertThat(computed).isEmpty();
    assertThat(again)
        .contains("reference cache: 23 training pairs read from " + cache())
        .contains("reference cache: 4 held-out pairs read from " + cache())
        .contains("start check passed");
    assertThat(folder.resolve("again/model.safetensors"))
        .hasBinaryContent(Files.readAllBytes(folder.resolve("first/model.safetensors")));

    Map<String, Object> other = new HashMap<>(same);
    other.putAll(
        Map.of(
            "beta",
            0.5,
            "loss_type",
            "ipo",
            "learning_rate",
            1e-3,
            "seed",
            7,
            "num_train_epochs",
            2));
    other.put("per_device_train_batch_size", 4);
    other.put("per_device_eval_batch_size", 2);
    assertThat(train("other", other)).contains("23 training pairs read from");
    assertThat(computed).isEmpty();
    assertThat(cacheFiles()).hasSize(2);
  }

  /** One weight of 3.4e38 is finite, but the logits are not. */
  @Test
  void numbersThatAreNotFiniteStopTheRunWithTheirRows() throws IOException {
    Path weights = model.resolve("model.safetensors");
    byte[] bytes = Files.readAllBytes(weights);
    bytes[bytes.length - 1] = 0x7f;
    bytes[bytes.length - 2] = 0x7f;
    Files.write(weights, bytes);

    assertThatThrownBy(() -> train("out", Map.of()))
        .isInstanceOf(DpoException.class)
        .hasMessageStartingWith("log-probabilities under the reference must be finite but are not")
        .hasMessageContaining("on 27 pairs: [" + data + ":")
        .hasMessageContaining(" and 7 more; look at these rows with inspect");
    assertThat(cache()).doesNotExist();
  }

  @Test
  void anotherDataFileWeightOrLengthIsComputed() throws IOException {
    train("first", Map.of());
    assertThat(computed).containsExactly(27);

    train("length", Map.of("max_length", 64));
    assertThat(computed).isNotEmpty();
    train("tail", Map.of("ld_alpha", 0.5));
    assertThat(computed).containsExactly(27);

    String rows = Files.readString(data);
    Files.writeString(data, rows.substring(rows.indexOf('\n') + 1));
    train("data", Map.of());
    assertThat(computed).containsExactly(26);
    Files.writeString(data, rows);

    Path weights = model.resolve("model.safetensors");
    byte[] bytes = Files.readAllBytes(weights);
    bytes[bytes.length - 2] ^= 1;
    Files.write(weights, bytes);
    train("weight", Map.of());
    assertThat(computed).containsExactly(27);
    assertThat(cacheFiles()).hasSize(5);
    assertThat(train("weight2", Map.of())).contains("27 training pairs read from");
  }

  @Test
  void aReferenceOfItsOwnIsNotEvenOpenedWhenItsNumbersAreKept() throws IOException {
    Path shared = folder.resolve("shared");
    Map<String, Object> options =
        Map.of("ref_model", fixture("models/llama"), "reference_cache", shared, "beta", 0.3);
    train("first", options);
    assertThat(computed).containsExactly(27);
    assertThat(train("second", options))
        .contains("reference cache: 27 training pairs read from " + shared.resolve("ref-"));
    assertThat(computed).isEmpty();
    assertThat(cache()).doesNotExist();
    // The same weights as the start of another run: one file serves both.
    train("start", Map.of("reference_cache", shared));
    assertThat(computed).isEmpty();
  }

  @Test
  void aDamagedFileIsSaidComputedAgainAndReplaced() throws IOException {
    train("first", Map.of());
    Path file = cacheFiles().get(0);
    byte[] good = Files.readAllBytes(file);
    byte[] bad = good.clone();
    bad[bad.length - 50] ^= 4;
    Files.write(file, bad);
    assertThat(train("second", Map.of()))
        .contains(
            "reference cache: %s is damaged (its checksum is wrong), computing again\n"
                .formatted(file))
        .contains("reference cache: 27 training pairs computed and kept in " + file);
    assertThat(computed).containsExactly(27);
    assertThat(file).hasBinaryContent(good);
  }

  @Test
  void aCacheThatCannotBeWrittenOrIsOffStopsNothing() throws IOException {
    Path file = Files.createFile(folder.resolve("file"));
    assertThat(train("a", Map.of("reference_cache", file)))
        .contains("27 training pairs computed, not kept in %s: it is no folder\n".formatted(file));
    assertThat(train("b", Map.of("reference_cache", file.resolve("below"))))
        .contains("27 training pairs computed, not kept in " + file.resolve("below"));

    train("c", Map.of());
    Path kept = cacheFiles().get(0);
    Files.delete(kept);
    Files.createDirectories(kept.resolve("inside"));
    assertThat(train("d", Map.of()))
        .contains("%s is damaged (it is no file), computing again\n".formatted(kept))
        .contains("27 training pairs computed, not kept in " + cache());

    Files.delete(kept.resolve("inside"));
    Files.delete(kept);
    assertThat(train("e", Map.of("reference_cache", "off"))).contains("reference cache: off\n");
    assertThat(cacheFiles()).isEmpty();
    for (String name : List.of("a", "b", "c", "d", "e")) {
      assertThat(folder.resolve(name).resolve("model.safetensors")).exists();
    }
  }

  @Test
  void aReferenceThatMovesOrIsNoneKeepsNothing() throws IOException {
    assertThat(train("moves", Map.of("sync_ref_model", true, "reference_cache", cache())))
        .contains("reference cache: not used: the reference moves\n");
    assertThat(train("none", Map.of("loss_type", "simpo"))).doesNotContain("reference cache");
    assertThat(cache()).doesNotExist();
  }

  @Test
  void aCacheInsideTheOutputIsRefused() {
    assertThatThrownBy(
            () -> train("out", Map.of("reference_cache", folder.resolve("out/reference_cache"))))
        .isInstanceOf(UsageException.class)
        .hasMessageStartingWith("reference_cache must not be output_dir or lie in it");
    assertThat(folder.resolve("out")).doesNotExist();
  }

  private String train(String name, Map<String, ?> more) {
    Map<String, Object> options = new HashMap<>();
    options.put("model", model);
    options.put("data_file", data);
    options.put("output_dir", folder.resolve(name));
    options.put("max_length", 128);
    options.put("max_steps", 1);
    options.put("per_device_train_batch_size", 2);
    options.putAll(more);
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    PrintStream stream = new PrintStream(out, true, StandardCharsets.UTF_8);
    computed.clear();
    TrainingRun.run(
        TrainingConfig.of(options),
        new RunOutput(
            stream,
            stream,
            (task, done, total, note) -> {
              if (task.equals("reference") && done == total) {
                computed.add(total);
              }
            }));
    return out.toString(StandardCharsets.UTF_8);
  }

  private Path cache() {
    return folder.resolve("reference_cache");
  }

  private List<Path> cacheFiles() throws IOException {
    try (Stream<Path> files = Files.list(cache())) {
      return files.sorted().toList();
    }
  }
}
