package org.dpo4j.run;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.dpo4j.run.RunFixture.fixture;
import static org.dpo4j.run.RunFixture.output;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import org.dpo4j.Cancellation;
import org.dpo4j.UsageException;
import org.dpo4j.config.InspectConfig;
import org.dpo4j.config.MergeConfig;
import org.dpo4j.config.ScoreConfig;
import org.dpo4j.config.TrainingConfig;
import org.dpo4j.tokenizer.TextReplacement;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ObjectNode;

/**
 * Closes: a chat template or variables of the user's own that reach some parts of a run and not
 * others, ids that are not TRL's with them, a saved model without the template that it was trained
 * with, and a run that is continued with another template.
 */
class ChatTemplateRunTest {

  private static final JsonNode RECORDED =
      JsonMapper.shared().readTree(fixture("template_tokens.json").toFile());

  private static final Path TINY_CHAT = Path.of("..", "examples", "tiny-chat");

  private final Path folder;
  private final Path template;
  private final Path rows;
  private final ByteArrayOutputStream out = new ByteArrayOutputStream();

  ChatTemplateRunTest(@TempDir Path folder) {
    this.folder = folder;
    this.template = folder.resolve("template.jinja");
    this.rows = folder.resolve("rows.jsonl");
  }

  @BeforeEach
  void writeTemplateAndRows() throws IOException {
    Files.writeString(template, RECORDED.get("template").stringValue());
    Files.write(rows, RECORDED.get("rows").valueStream().map(JsonNode::toString).toList());
  }

  @Test
  void theIdsAreThoseOfTrlWithTheTemplateAndItsVariables() throws IOException {
    String variables = RECORDED.get("variables").toString();
    assertThat(inspected(Map.of("chat_template", template, "chat_template_kwargs", variables)))
        .isEqualTo(RECORDED.get("ids").valueStream().toList());
    Files.write(rows, List.of(RECORDED.get("rows").get(0).toString()));
    assertThat(inspected(Map.of("chat_template", template)))
        .isEqualTo(RECORDED.get("ids_without_variables").valueStream().toList());
    assertThat(inspected(Map.of()))
        .isNotEqualTo(RECORDED.get("ids_without_variables").valueStream().toList());
  }

  @Test
  void aVariableThatIsNullIsNoneForTheTemplate() throws IOException {
    String text = "{% for m in messages %}{{ m.content }}{% endfor %}";
    Files.write(rows, List.of(RECORDED.get("rows").get(0).toString()));
    Files.writeString(template, text + "none, [none]");
    List<JsonNode> expected = inspected(Map.of("chat_template", template));
    Files.writeString(
        template,
        text
            + "{% if x is defined and x is none %}none{% endif %}"
            + "{% if y is defined and y[0] is none %}, [none]{% endif %}");
    Map<String, Object> options = new HashMap<>(Map.of("chat_template", template));
    assertThat(inspected(options)).isNotEqualTo(expected);
    options.put("chat_template_kwargs", "{\"x\": null, \"y\": [null]}");
    assertThat(inspected(options)).isEqualTo(expected);
  }

  @Test
  void theHeaderHasVariablesAsJson() throws IOException {
    train(
        "out",
        Map.of("chat_template_kwargs", "{a: {b: [c, 1.0, ~]}, d: [e, f], g: no, style: plain}"));
    assertThat(out.toString(StandardCharsets.UTF_8))
        .contains(
            "template.jinja, a {\"b\": [\"c\", 1, null]}, d [\"e\", \"f\"], g false, style plain");
  }

  @Test
  void theTemplateIsSavedInPlaceOfTheModelsAsTransformersSavesIt() throws IOException {
    Path model = Files.createDirectory(folder.resolve("model"));
    for (String file : List.of("config.json", "model.safetensors", "tokenizer.json")) {
      Files.copy(TINY_CHAT.resolve(file), model.resolve(file));
    }
    ObjectNode config =
        (ObjectNode)
            JsonMapper.shared().readTree(TINY_CHAT.resolve("tokenizer_config.json").toFile());
    String eos = config.get("eos_token").toString();
    config.put("chat_template", "old");
    Files.writeString(model.resolve("tokenizer_config.json"), config.toString());
    Files.writeString(model.resolve("chat_template.jinja"), "old");
    Files.createDirectory(model.resolve("additional_chat_templates"));
    Files.writeString(model.resolve("additional_chat_templates/tool_use.jinja"), "old");

    train("out", Map.of("model", model, "save_steps", 1));

    assertThat(out.toString(StandardCharsets.UTF_8)).contains("chat template: " + template);
    for (String place : List.of("out", "out/checkpoint-1")) {
      Path saved = folder.resolve(place);
      assertThat(saved.resolve("chat_template.jinja"))
          .hasContent(RECORDED.get("saved").stringValue());
      assertThat(saved.resolve("additional_chat_templates")).doesNotExist();
      JsonNode settings =
          JsonMapper.shared().readTree(saved.resolve("tokenizer_config.json").toFile());
      assertThat(settings.has("chat_template")).isFalse();
      assertThat(settings.get("eos_token").toString()).isEqualTo(eos);
    }
  }

  /** An adapter is used with its model's folder, which has another template. */
  @Test
  void anAdapterBringsTheTemplateThatItWasTrainedWith() throws IOException {
    train("adapter", Map.of("use_peft", true, "learning_rate", 1e-2));
    Path adapter = folder.resolve("adapter");
    String scored = scored(Map.of("adapter", adapter));
    assertThat(scored)
        .isEqualTo(scored(Map.of("adapter", adapter, "chat_template", template)))
        .isNotEqualTo(
            scored(
                Map.of(
                    "adapter",
                    adapter,
                    "chat_template",
                    TINY_CHAT.resolve("chat_template.jinja"))));

    MergeRun.run(
        MergeConfig.of(
            Map.of("model", TINY_CHAT, "adapter", adapter, "output_dir", folder.resolve("merged"))),
        output(out));
    assertThat(folder.resolve("merged/chat_template.jinja"))
        .hasContent(RECORDED.get("saved").stringValue());

    Map<String, Object> more = new HashMap<>();
    more.put("adapter", adapter);
    more.put("chat_template", null);
    out.reset();
    train("more", more);
    assertThat(out.toString(StandardCharsets.UTF_8))
        .contains("chat template: " + adapter.resolve("chat_template.jinja"));
    assertThat(folder.resolve("more/chat_template.jinja"))
        .hasContent(RECORDED.get("saved").stringValue());
  }

  /** The comment changes no id of a row. */
  @Test
  void aRunIsContinuedWithItsOwnTemplateAndVariablesOnly() throws IOException {
    Map<String, Object> options = new HashMap<>();
    options.put("chat_template_kwargs", Map.of("style", "a"));
    options.put("save_steps", 1);
    train("out", options);
    options.put("resume_from_checkpoint", folder.resolve("out/checkpoint-1"));
    Path other = folder.resolve("other.jinja");
    Files.writeString(other, Files.readString(template) + "{# another #}");
    options.put("chat_template", other);
    refused(options, "chat_template must be what the run in");
    options.put("chat_template", null);
    refused(options, "chat_template must be what the run in");
    options.put("chat_template", template);
    options.put("chat_template_kwargs", Map.of("style", "b"));
    refused(options, "chat_template_kwargs was {\"style\": \"a\"} and is now {\"style\": \"b\"}");
    options.put("chat_template_kwargs", Map.of("style", "a"));
    options.put("chat_template", Files.copy(template, folder.resolve("copy.jinja")));
    train("continued", options);
  }

  private void refused(Map<String, Object> options, String says) {
    assertThatThrownBy(() -> train("continued", options))
        .isInstanceOf(UsageException.class)
        .hasMessageContaining(says);
  }

  @Test
  void aTemplateOfTheProgramAndOneOfAFileExcludeEachOther() {
    ProgramInputs given =
        new ProgramInputs(
            Optional.empty(),
            Optional.empty(),
            new TextReplacement(null, (messages, header, variables) -> ""));
    assertThatThrownBy(
            () ->
                TrainingRun.run(
                    config("out", Map.of()), given, output(out), new Cancellation(), List.of()))
        .isInstanceOf(UsageException.class)
        .hasMessageContaining("chat_template and a template of the program both replace");
  }

  private List<JsonNode> inspected(Map<String, Object> more) throws IOException {
    Map<String, Object> options = new HashMap<>(more);
    options.put("model", TINY_CHAT);
    options.put("data_file", rows);
    options.put("output", folder.resolve("inspected.jsonl"));
    InspectRun.run(InspectConfig.of(options), output(out));
    List<JsonNode> ids = new ArrayList<>();
    for (String line : Files.readAllLines(folder.resolve("inspected.jsonl"))) {
      ObjectNode row = (ObjectNode) JsonMapper.shared().readTree(line);
      ids.add(row.retain("prompt_ids", "chosen_ids", "rejected_ids"));
    }
    return ids;
  }

  private String scored(Map<String, Object> more) throws IOException {
    Map<String, Object> options = new HashMap<>(more);
    options.put("model", TINY_CHAT);
    options.put("data_file", rows);
    options.put("output", folder.resolve("scores.jsonl"));
    ScoreRun.run(ScoreConfig.of(options), output(out));
    return Files.readString(folder.resolve("scores.jsonl"));
  }

  private void train(String name, Map<String, ?> more) {
    TrainingRun.run(config(name, more), output(out));
  }

  private TrainingConfig config(String name, Map<String, ?> more) {
    Map<String, Object> options = new HashMap<>();
    options.put("model", TINY_CHAT);
    options.put("data_file", rows);
    options.put("chat_template", template);
    options.put("output_dir", folder.resolve(name));
    options.put("max_steps", 2);
    options.put("per_device_train_batch_size", 1);
    options.put("sample_prompts", 1);
    options.put("reference_cache", "off");
    options.putAll(more);
    options.values().removeIf(Objects::isNull);
    return TrainingConfig.of(options);
  }
}
