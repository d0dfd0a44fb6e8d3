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
import java.util.Map;
import java.util.function.Consumer;
import java.util.stream.Stream;
import org.dpo4j.DpoException;
import org.dpo4j.config.GenerateConfig;
import org.dpo4j.config.MergeConfig;
import org.dpo4j.config.ScoreConfig;
import org.dpo4j.config.TrainingConfig;
import org.dpo4j.weights.SafetensorsFile;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ObjectNode;

/**
 * Closes: an adapter that is put on another model than its own, or is read as less than its
 * configuration says, without a word.
 */
class AdapterCheckTest {

  private static final String OTHER_WEIGHTS = "was trained on other weights than those of ";

  private final Path folder;
  private final ByteArrayOutputStream out = new ByteArrayOutputStream();

  AdapterCheckTest(@TempDir Path folder) {
    this.folder = folder;
  }

  @Test
  void anAdapterKnowsItsModelByAHashWhateverTheFolderIsCalled() throws IOException {
    Path adapter = train(fixture("models/llama"), "lora", Map.of("use_peft", true));
    Path moved = copy(fixture("models/llama"), "moved");
    assertThat(
            SafetensorsFile.open(adapter.resolve("adapter_model.safetensors"))
                .metadata()
                .get("base_model_sha256"))
        // What sha256sum prints for the file.
        .startsWith("6972034bea06");
    out.reset();
    score(moved, adapter);
    assertThat(text(out)).doesNotContainPattern("(?m)^note: ").doesNotContain("warning: the");
  }

  @Test
  void anAdapterOnOtherWeightsIsWarnedOfByEveryVerbAndFailsVerification() throws IOException {
    Path llama = fixture("models/llama");
    Path adapter = train(llama, "lora", Map.of("use_peft", true));
    Path other = train(llama, "other", Map.of("learning_rate", 1e-3));

    out.reset();
    score(other, adapter);
    assertThat(text(out))
        .contains("warning: the adapter %s %s%s: ".formatted(adapter, OTHER_WEIGHTS, other))
        .contains("sha256 6972034bea06 (%s), not ".formatted(llama));

    out.reset();
    generate(other, adapter);
    assertThat(text(out)).contains(OTHER_WEIGHTS);

    out.reset();
    train(other, "more", Map.of("adapter", adapter));
    assertThat(text(out)).contains(OTHER_WEIGHTS).contains("earlier warnings of this run:");

    out.reset();
    merge(other, adapter, false);
    assertThat(text(out)).contains(OTHER_WEIGHTS);
    assertThatThrownBy(() -> merge(other, adapter, true))
        .isInstanceOf(DpoException.class)
        .hasMessageContaining(OTHER_WEIGHTS)
        .hasMessageContaining("; nothing was written");
  }

  /** PEFT's adapters have a name only, and folders are moved and renamed. */
  @Test
  void aMereNameIsWarnedOfOnlyIfThatModelIsThereAndIsAnother() throws IOException {
    Path llama = fixture("models/llama"); // the adapter names models/llama
    score(llama, fixture("adapters/llama-r8"));
    assertThat(text(out)).doesNotContainPattern("(?m)^note: ").doesNotContain("warning: the");

    Path moved = copy(llama, "snapshots");
    score(moved, fixture("adapters/llama-r8"));
    assertThat(text(out))
        .contains("names models/llama as its model and is put on " + moved)
        .doesNotContain("warning: the");

    out.reset();
    Path cached = copy(llama, "models--org--llama/snapshots/0123");
    score(cached, fixture("adapters/llama-r8"));
    assertThat(text(out)).doesNotContainPattern("(?m)^note:");

    Path other = train(llama, "other", Map.of("learning_rate", 1e-3));
    Path adapter = copy(fixture("adapters/llama-r8"), "adapter");
    edit(adapter, json -> json.put("base_model_name_or_path", other.toString()));
    out.reset();
    score(moved, adapter);
    assertThat(text(out)).contains("warning: the adapter " + adapter + " " + OTHER_WEIGHTS + moved);
  }

  @ParameterizedTest
  @ValueSource(strings = {"train", "score", "generate", "merge"})
  void keysThatPeftDoesNotKnowAreNamedUnlessTheyAreOff(String verb) throws IOException {
    Path llama = fixture("models/llama");
    Path adapter = copy(fixture("adapters/llama-r8"), "adapter");
    edit(
        adapter,
        json -> {
          json.put("use_superlora", true).put("super_scale", 3.0);
          json.put("use_hyperlora", false).putNull("hyper_scale").putArray("hyper_layers");
        });
    switch (verb) {
      case "train" -> train(llama, "out", Map.of("adapter", adapter));
      case "score" -> score(llama, adapter);
      case "generate" -> generate(llama, adapter);
      default -> merge(llama, adapter, false);
    }
    assertThat(text(out))
        .contains(
            "note: [%s] has keys that PEFT 0.21 does not know, which are ignored: super_scale,"
                    .formatted(adapter.resolve("adapter_config.json"))
                + " use_superlora;")
        .doesNotContain("hyper");
  }

  private Path train(Path model, String name, Map<String, ?> more) {
    Map<String, Object> options = new HashMap<>(more);
    options.put("model", model);
    options.put("data_file", fixture("pairs32.jsonl"));
    options.put("output_dir", folder.resolve(name));
    options.put("max_length", 128);
    options.put("max_steps", 1);
    options.put("reference_cache", "off");
    TrainingRun.run(TrainingConfig.of(options), output(out));
    return folder.resolve(name);
  }

  private void score(Path model, Path adapter) {
    ScoreRun.run(
        ScoreConfig.of(
            Map.of(
                "model",
                model,
                "adapter",
                adapter,
                "data_file",
                fixture("pairs32.jsonl"),
                "output",
                folder.resolve("scores.jsonl"))),
        output(out));
  }

  private void generate(Path model, Path adapter) {
    GenerateRun.run(
        GenerateConfig.of(
            Map.of("model", model, "adapter", adapter, "prompt", "Hello", "max_new_tokens", 2)),
        output(out));
  }

  private void merge(Path model, Path adapter, boolean verify) {
    MergeRun.run(
        MergeConfig.of(
            Map.of(
                "model",
                model,
                "adapter",
                adapter,
                "output_dir",
                folder.resolve("merged" + verify),
                "verify",
                verify)),
        output(out));
  }

  private Path copy(Path source, String name) throws IOException {
    Path target = Files.createDirectories(folder.resolve(name));
    try (Stream<Path> files = Files.list(source)) {
      for (Path file : files.toList()) {
        Files.copy(file, target.resolve(file.getFileName().toString()));
      }
    }
    return target;
  }

  private static void edit(Path adapter, Consumer<ObjectNode> change) throws IOException {
    Path file = adapter.resolve("adapter_config.json");
    ObjectNode json = (ObjectNode) JsonMapper.shared().readTree(Files.readString(file));
    change.accept(json);
    Files.writeString(file, json.toString());
  }
}
