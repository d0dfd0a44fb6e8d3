package org.dpo4j.run;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.dpo4j.run.RunFixture.fixture;
import static org.dpo4j.run.RunFixture.output;
import static org.dpo4j.run.RunFixture.text;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.OptionalLong;
import java.util.stream.Stream;
import org.dpo4j.DpoException;
import org.dpo4j.UsageException;
import org.dpo4j.checkpoint.DiskSpace;
import org.dpo4j.config.MergeConfig;
import org.dpo4j.config.PlanConfig;
import org.dpo4j.config.ScoreConfig;
import org.dpo4j.config.TrainingConfig;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Closes: output among the files that a run reads, which the next run takes for input, and a run
 * that trains for hours and then finds the disk full.
 */
class OutputPlaceTest {

  private final Path folder;
  private final ByteArrayOutputStream out = new ByteArrayOutputStream();

  OutputPlaceTest(@TempDir Path folder) {
    this.folder = folder;
  }

  @BeforeEach
  void inputs() throws IOException {
    copy("models/llama", "model");
    copy("models/llama", "ref");
    copy("adapters/llama-r8", "adapter");
    Files.createDirectory(folder.resolve("data"));
    Files.copy(fixture("pairs32.jsonl"), folder.resolve("data/pairs.jsonl"));
  }

  @ParameterizedTest
  @ValueSource(strings = {"model/out", "model/runs/out", "ref/out", "adapter/out"})
  void trainWritesIntoNoFolderThatItReads(String place) throws IOException {
    Map<String, Object> options = training();
    options.put("output_dir", folder.resolve(place));
    options.put("ref_model", folder.resolve("ref"));
    options.put("adapter", folder.resolve("adapter"));
    assertThatThrownBy(() -> TrainingRun.run(TrainingConfig.of(options), output(out)))
        .isInstanceOf(UsageException.class)
        .hasMessage(
            "output_dir must not lie in a folder that this run reads but %s is in %s; name a"
                    .formatted(folder.resolve(place), folder.resolve(place.replaceAll("/.*", "")))
                + " folder outside it");
    assertNothingNew();
  }

  /** Only the files of a folder of pairs are read, so that a folder in it disturbs nothing. */
  @Test
  void trainWritesBesideTheFilesOfAFolderOfPairs() {
    Map<String, Object> options = training();
    options.put("data_file", folder.resolve("data"));
    options.put("output_dir", folder.resolve("data/out"));
    options.put("max_steps", 1);
    TrainingRun.run(TrainingConfig.of(options), output(out));
    assertThat(folder.resolve("data/out/model.safetensors")).exists();
  }

  @Test
  void aLinkIsNoWayIn() throws IOException {
    Files.createSymbolicLink(folder.resolve("link"), folder.resolve("model"));
    Map<String, Object> options = training();
    options.put("output_dir", folder.resolve("link/out"));
    assertThatThrownBy(() -> TrainingRun.run(TrainingConfig.of(options), output(out)))
        .hasMessageContaining("must not lie in a folder that this run reads");
    Files.delete(folder.resolve("link"));
    assertNothingNew();
  }

  @ParameterizedTest
  @ValueSource(strings = {"model/cache", "adapter", "ref/a/b"})
  void theReferenceCacheLiesInNoModel(String place) throws IOException {
    Map<String, Object> options = training();
    options.put("output_dir", folder.resolve("out"));
    options.put("ref_model", folder.resolve("ref"));
    options.put("adapter", folder.resolve("adapter"));
    options.put("reference_cache", folder.resolve(place));
    assertThatThrownBy(() -> TrainingRun.run(TrainingConfig.of(options), output(out)))
        .isInstanceOf(UsageException.class)
        .hasMessageContaining("reference_cache must not lie in a folder that this run reads but");
    assertNothingNew();
  }

  @ParameterizedTest
  @CsvSource({"model/out", "adapter/out"})
  void mergeWritesIntoNoFolderThatItReads(String place) throws IOException {
    assertThatThrownBy(() -> merge(place, DiskSpace.OF_MACHINE))
        .isInstanceOf(UsageException.class)
        .hasMessageContaining("output_dir must not lie in a folder that this run reads");
    assertNothingNew();
  }

  @ParameterizedTest
  @ValueSource(
      strings = {"model/config.json", "model/new/s.jsonl", "ref/s", "adapter/s", "data/s.jsonl"})
  void scoresTouchNothingThatIsRead(String place) throws IOException {
    Map<String, Object> options = new HashMap<>();
    options.put("model", folder.resolve("model"));
    options.put("ref_model", folder.resolve("ref"));
    options.put("adapter", folder.resolve("adapter"));
    options.put("data_file", folder.resolve("data"));
    options.put("output", folder.resolve(place));
    assertThatThrownBy(() -> ScoreRun.run(ScoreConfig.of(options), output(out)))
        .isInstanceOf(UsageException.class)
        .hasMessageContaining("output must not touch what this run reads but");
    assertNothingNew();
  }

  @ParameterizedTest
  @ValueSource(strings = {"model/plan.jsonl", "ref/plan.jsonl", "adapter/plan.jsonl"})
  void plansTouchNothingThatIsRead(String place) throws IOException {
    Map<String, Object> options = training();
    options.put("output_dir", folder.resolve("out"));
    options.put("ref_model", folder.resolve("ref"));
    options.put("adapter", folder.resolve("adapter"));
    PlanConfig config =
        new PlanConfig(
            PlanConfig.OWN.build(Map.of("trial", false, "output", folder.resolve(place))),
            TrainingConfig.of(options));
    assertThatThrownBy(() -> PlanRun.run(config, output(out)))
        .isInstanceOf(UsageException.class)
        .hasMessageContaining("output must not touch what this run reads but");
    assertNothingNew();
  }

  /**
   * 348,480 parameters as float32 are 1.39 MB, tokenizer and records 1.1 MB: 2.5 MB. The pairs are
   * on the disk when the check is made, and gone when the result is written.
   */
  @Test
  void aDiskThatIsTooSmallIsNoticedBeforeTheFirstStep() throws IOException {
    Map<String, Object> options = training();
    options.put("output_dir", folder.resolve("out"));
    TrainingConfig config = TrainingConfig.of(options);
    assertThatThrownBy(() -> TrainingRun.run(config, output(out), disk(1_500_000)))
        .isInstanceOf(DpoException.class)
        .hasMessageMatching(
            "\\Q%s\\E must have room for 3 MB \\(weights as float32 1 MB, other files 1 MB\\) but only"
                    .formatted(folder.resolve("out"))
                + " 2 MB are free there; make room, pass save_dtype bfloat16 for half of it, or"
                + " name another output_dir");
    assertThat(text(out)).doesNotContain("start check");
    assertNothingNew();

    TrainingRun.run(config, output(out), disk(10_000_000));
    assertThat(folder.resolve("out/model.safetensors")).hasSize(weights("out"));
  }

  @Test
  void aDiskThatDoesNotSayHowLargeItIsStopsNoRun() {
    Map<String, Object> options = training();
    options.put("output_dir", folder.resolve("out"));
    TrainingRun.run(TrainingConfig.of(options), output(out), path -> OptionalLong.empty());
    assertThat(folder.resolve("out/model.safetensors")).exists();
  }

  @Test
  void aMergeIsNotBegunWithoutRoom() throws IOException {
    assertThatThrownBy(() -> merge("out", disk(1_000_000)))
        .isInstanceOf(DpoException.class)
        .hasMessageContaining("must have room for")
        .hasMessageContaining("but only 1 MB are free there");
    assertNothingNew();
  }

  @Test
  void aPlanNamesTheDiskSpaceAndWhetherItIsThere() {
    Map<String, Object> options = training();
    options.put("output_dir", folder.resolve("out"));
    PlanConfig config =
        new PlanConfig(PlanConfig.OWN.build(Map.of("trial", false)), TrainingConfig.of(options));
    PlanRun.run(config, output(out), disk(1_000_000));
    assertThat(text(out))
        .containsPattern(
            "disk, at most 3 MB in \\Q%s\\E: weights as float32 1 MB, other"
                .formatted(folder.resolve("out")))
        .contains("which is more than the 1 MB that are free there");
    assertThat(folder.resolve("out")).doesNotExist();
  }

  private long weights(String name) throws IOException {
    return Files.size(folder.resolve(name).resolve("model.safetensors"));
  }

  private static DiskSpace disk(long bytes) {
    return path -> OptionalLong.of(bytes);
  }

  private Map<String, Object> training() {
    Map<String, Object> options = new HashMap<>();
    options.put("model", folder.resolve("model"));
    options.put("data_file", folder.resolve("data"));
    options.put("max_length", 128);
    options.put("max_steps", 1);
    return options;
  }

  private void merge(String place, DiskSpace disk) {
    MergeRun.run(
        MergeConfig.of(
            Map.of(
                "model",
                folder.resolve("model"),
                "adapter",
                folder.resolve("adapter"),
                "output_dir",
                folder.resolve(place))),
        output(out),
        disk);
  }

  private void assertNothingNew() throws IOException {
    assertThat(names(folder)).containsExactlyInAnyOrder("model", "ref", "adapter", "data");
    assertThat(names(folder.resolve("model"))).isEqualTo(names(fixture("models/llama")));
    assertThat(names(folder.resolve("ref"))).isEqualTo(names(fixture("models/llama")));
    assertThat(names(folder.resolve("adapter"))).isEqualTo(names(fixture("adapters/llama-r8")));
    assertThat(names(folder.resolve("data"))).containsExactly("pairs.jsonl");
    assertThat(folder.resolve("model/config.json"))
        .hasBinaryContent(Files.readAllBytes(fixture("models/llama/config.json")));
  }

  private void copy(String name, String target) throws IOException {
    Path to = Files.createDirectory(folder.resolve(target));
    try (Stream<Path> files = Files.list(fixture(name))) {
      for (Path file : files.toList()) {
        Files.copy(file, to.resolve(file.getFileName().toString()));
      }
    }
  }

  private static List<String> names(Path folder) throws IOException {
    try (Stream<Path> files = Files.list(folder)) {
      return files.map(file -> String.valueOf(file.getFileName())).sorted().toList();
    }
  }
}
