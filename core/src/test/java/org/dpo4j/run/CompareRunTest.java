package org.dpo4j.run;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;
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
import org.dpo4j.UsageException;
import org.dpo4j.config.CompareConfig;
import org.dpo4j.config.GenerateConfig;
import org.dpo4j.config.TrainingConfig;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/**
 * Closes: answers that are not those of the models, a comparison with another reference than it
 * says, and differences that can only be seen in colour.
 */
class CompareRunTest {

  private final Path folder;
  private final ByteArrayOutputStream out = new ByteArrayOutputStream();

  CompareRunTest(@TempDir Path folder) {
    this.folder = folder;
  }

  @Test
  void aTunedModelIsComparedWithItsReferenceAndTheAnswersAreThoseOfGenerate() throws IOException {
    train();
    List<JsonNode> lines = compare(Map.of("model", folder.resolve("run")));
    assertThat(lines).hasSize(2);
    for (JsonNode line : lines) {
      JsonNode reference = line.at("/answers/0");
      JsonNode tuned = line.at("/answers/1");
      assertThat(reference.path("model").asString()).isEqualTo(fixture("models/llama").toString());
      assertThat(tuned.path("model").asString()).isEqualTo(folder.resolve("run").toString());
      assertThat(reference.path("text").asString())
          .isEqualTo(generated(fixture("models/llama"), line.path("prompt").asString()));
      assertThat(tuned.path("text").asString())
          .isEqualTo(generated(folder.resolve("run"), line.path("prompt").asString()));
      assertThat(tuned.path("logprob_under_first").asDouble())
          .isNegative()
          .isNotCloseTo(tuned.path("logprob").asDouble(), within(0.1));
    }
    assertThat(text(out)).contains("2 prompts, greedy", "; log-ratio to it ");
  }

  @Test
  void theSameModelGivesTheSameAnswersWithOneSeed() throws IOException {
    Path copy = RunFixture.model("llama", folder);
    List<JsonNode> lines =
        compare(Map.of("model", List.of(fixture("models/llama"), copy), "temperature", 1));
    for (JsonNode line : lines) {
      assertThat(line.at("/answers/1/text")).isEqualTo(line.at("/answers/0/text"));
      assertThat(line.at("/answers/1/logprob").asDouble())
          .isCloseTo(line.at("/answers/1/logprob_under_first").asDouble(), within(1e-4));
    }
    assertThat(text(out)).contains("; 2 of 2 answers as under ");
  }

  @Test
  void whatOneModelSaysAndTheOtherDoesNotIsMarkedWithoutColours() {
    train();
    Map<String, Object> options = new HashMap<>();
    options.put("model", folder.resolve("run"));
    options.put("prompt", "What is the capital of France?");
    options.put("max_new_tokens", 12);
    options.put("threads", 1);
    out.reset();
    CompareRun.run(CompareConfig.of(options), output(out));
    assertThat(text(out))
        .contains("What is the capital of France?", "(12 tokens, cut by max_new_tokens)")
        .contains("[-", "-]", "{+", "+}")
        .doesNotContain("\u001b");
  }

  @Test
  void aModelAloneIsRefused() {
    assertThatThrownBy(() -> compare(Map.of("model", fixture("models/llama"))))
        .isInstanceOf(UsageException.class)
        .hasMessageContaining("model must be at least two, or one whose reference is known");
    assertThatThrownBy(
            () ->
                compare(
                    Map.of(
                        "model",
                        List.of(fixture("models/llama"), folder),
                        "ref_model",
                        fixture("models/llama"))))
        .isInstanceOf(UsageException.class)
        .hasMessageContaining("ref_model is for a single model");
  }

  /** Of one token alone, the likeliest is drawn at any temperature. */
  @Test
  void tokensAreDrawnAsInGenerate() throws IOException {
    Map<String, Object> models =
        Map.of(
            "model",
            List.of(fixture("models/llama"), fixture("adapters/llama-r8")),
            "base_model",
            fixture("models/llama"));
    Map<String, Object> drawn = new HashMap<>(models);
    drawn.putAll(Map.of("temperature", 1.5, "top_k", 1, "seed", 3));
    assertThat(compare(drawn)).isEqualTo(compare(models));
  }

  private List<JsonNode> compare(Map<String, Object> options) throws IOException {
    Path prompts = folder.resolve("prompts.txt");
    Files.write(prompts, List.of("What is the capital of France?", "Name three colors."));
    Path file = folder.resolve("answers.jsonl");
    Map<String, Object> all = new HashMap<>();
    all.put("prompts_file", prompts);
    all.put("output", file);
    all.put("max_new_tokens", 12);
    all.put("threads", 1);
    all.putAll(options);
    out.reset();
    CompareRun.run(CompareConfig.of(all), output(out));
    return Files.readAllLines(file).stream().map(JsonMapper.shared()::readTree).toList();
  }

  private static String generated(Path model, String prompt) {
    ByteArrayOutputStream answer = new ByteArrayOutputStream();
    GenerateRun.run(
        GenerateConfig.of(
            Map.of("model", model, "prompt", prompt, "max_new_tokens", 12, "threads", 1)),
        output(answer, new ByteArrayOutputStream()));
    return text(answer).replaceFirst("\\R$", "");
  }

  private void train() {
    Map<String, Object> all = new HashMap<>();
    all.put("model", fixture("models/llama"));
    all.put("data_file", fixture("pairs32.jsonl"));
    all.put("output_dir", folder.resolve("run"));
    all.put("reference_cache", folder.resolve("cache"));
    all.put("save_dtype", "float32");
    all.put("learning_rate", 3e-3);
    all.put("max_steps", 6);
    all.put("sample_prompts", 0);
    all.put("threads", 1);
    all.put("max_length", 128);
    TrainingRun.run(TrainingConfig.of(all), output(out));
  }
}
