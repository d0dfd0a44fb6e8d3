package org.dpo4j.tokenizer;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Clock;
import java.time.Instant;
import java.time.ZoneOffset;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import org.dpo4j.DpoException;
import org.dpo4j.Message;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Closes the defect that a template is not found, or sees other names than transformers gives. */
class ChatTemplateTest {
  private static final List<Message> TURNS =
      List.of(Message.of("user", "Hi {{ 1 }}"), Message.of("assistant", "Yo"));

  @SuppressWarnings("NullAway.Init")
  @TempDir
  Path folder;

  private static String render(String source) {
    return ChatTemplate.parse(source, "t").render(TURNS, true, Map.of());
  }

  @Test
  void theFixtureTemplateRendersTurnsAndPrompt() {
    Path model = Path.of("src/test/resources/fixtures/models/llama");
    assertThat(
            Objects.requireNonNull(ChatTemplate.fromModelFolder(model).get("default"))
                .render(TURNS, true, Map.of()))
        .isEqualTo(
            """
            <|im_start|>user
            Hi {{ 1 }}<|im_end|>
            <|im_start|>assistant
            Yo<|im_end|>
            <|im_start|>assistant
            """);
  }

  @Test
  void theTemplateFileComesBeforeTheConfig() throws IOException {
    Files.writeString(folder.resolve("tokenizer_config.json"), "{\"chat_template\": \"config\"}");
    assertThat(found()).isEqualTo("config");
    Files.writeString(folder.resolve("chat_template.jinja"), "file");
    assertThat(found()).isEqualTo("file");
  }

  @Test
  void ofNamedTemplatesTheDefaultIsTaken() throws IOException {
    Files.writeString(
        folder.resolve("tokenizer_config.json"),
        "{\"chat_template\": [{\"name\": \"rag\", \"template\": \"r\"},"
            + "{\"name\": \"default\", \"template\": \"d\"}]}");
    assertThat(found()).isEqualTo("d");
  }

  @Test
  void theTemplateForToolsStandsInTheConfigOrBesideTheFile() throws IOException {
    Files.writeString(
        folder.resolve("tokenizer_config.json"),
        "{\"chat_template\": [{\"name\": \"tool_use\", \"template\": \"t\"},"
            + "{\"name\": \"default\", \"template\": \"d\"},"
            + "{\"name\": \"rag\", \"template\": \"{% never parsed\"}]}");
    assertThat(renderedForTools()).isEqualTo("t");
    Files.writeString(folder.resolve("chat_template.jinja"), "file");
    assertThat(ChatTemplate.fromModelFolder(folder)).containsOnlyKeys("default");
    Files.createDirectories(folder.resolve("additional_chat_templates"));
    Files.writeString(folder.resolve("additional_chat_templates/tool_use.jinja"), "tool file");
    assertThat(renderedForTools()).isEqualTo("tool file");
    assertThat(found()).isEqualTo("file");
    // Without the default's file transformers has no default: it does not go back to the config.
    Files.delete(folder.resolve("chat_template.jinja"));
    assertThatThrownBy(() -> ChatTemplate.fromModelFolder(folder))
        .isInstanceOf(DpoException.class)
        .hasMessageContaining("additional_chat_templates] must lie beside a chat_template.jinja");
  }

  private String renderedForTools() {
    return Objects.requireNonNull(ChatTemplate.fromModelFolder(folder).get("tool_use"))
        .render(TURNS, false, Map.of());
  }

  @Test
  void aFieldThatIsNullIsNoField() {
    Map<String, @Nullable Object> fields = new LinkedHashMap<>();
    fields.put("role", "assistant");
    fields.put("content", null);
    fields.put("tool_calls", List.of());
    assertThat(
            ChatTemplate.parse("{{ messages[0]|tojson }}", "t")
                .render(List.of(new Message(fields)), false, Map.of()))
        .isEqualTo("{\"role\": \"assistant\", \"tool_calls\": []}");
  }

  @Test
  void aFolderWithoutTemplateHasNone() throws IOException {
    assertThat(ChatTemplate.fromModelFolder(folder)).isEmpty();
    Files.writeString(folder.resolve("tokenizer_config.json"), "{\"chat_template\": null}");
    assertThat(ChatTemplate.fromModelFolder(folder)).isEmpty();
  }

  @Test
  void aListWithoutDefaultIsRefused() throws IOException {
    Files.writeString(folder.resolve("tokenizer_config.json"), "{\"chat_template\": []}");
    assertThatThrownBy(() -> ChatTemplate.fromModelFolder(folder))
        .isInstanceOf(DpoException.class)
        .hasMessageContaining("default");
  }

  private String found() {
    return Objects.requireNonNull(ChatTemplate.fromModelFolder(folder).get("default"))
        .render(TURNS, false, Map.of());
  }

  @Test
  void aRefusalCarriesTheTemplatesOwnWords() {
    assertThatThrownBy(() -> render("{{ raise_exception('roles must ' ~ 'alternate') }}"))
        .isInstanceOfSatisfying(
            TemplateRefusedException.class,
            refused -> assertThat(refused.reason()).isEqualTo("roles must alternate"));
  }

  @Test
  void toolsAndDocumentsAreNoneUnlessGiven() {
    assertThat(render("{{ tools is none }} {{ documents is none }} {{ bos_token is defined }}"))
        .isEqualTo("True True False");
  }

  @Test
  void reasoningIsSeenUnderTheNamesThatTemplatesRead() {
    Map<String, @Nullable Object> fields = new LinkedHashMap<>();
    fields.put("role", "assistant");
    fields.put("reasoning", "hm");
    assertThat(
            ChatTemplate.parse("{{ messages[0]|tojson }}", "t")
                .render(List.of(new Message(fields)), false, Map.of()))
        .isEqualTo(
            "{\"thinking\": \"hm\", \"role\": \"assistant\", \"reasoning\": \"hm\","
                + " \"reasoning_content\": \"hm\"}");
  }

  @Test
  void datesComeFromTheClock() {
    Clock clock = Clock.fixed(Instant.parse("2026-01-05T09:07:03.5Z"), ZoneOffset.UTC);
    String format = "%d %b %Y|%-d %B %y|%A %a|%H:%M:%S.%f|%I %p|%j|%e|%U %W %w|%%|%F|%z|%q";
    assertThat(
            ChatTemplate.parse("{{ strftime_now('" + format + "') }}", "t")
                .withClock(clock)
                .render(TURNS, false, Map.of()))
        .isEqualTo(
            "05 Jan 2026|5 January 26|Monday Mon|09:07:03.500000|09 AM|005| 5|01 01 1|%"
                + "|2026-01-05||%q");
  }
}
