package org.dpo4j.gguf;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.dpo4j.Message;
import org.dpo4j.tokenizer.ChatRenderer;
import org.dpo4j.tokenizer.ChatTemplate;
import org.dpo4j.weights.ModelFolders;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Closes: a description for Ollama with which a conversation is another text than the chat template
 * makes of it. The test evaluates the description itself, as Ollama does.
 */
class OllamaTemplateTest {

  private static final String BOS = "<s>";

  /** Chat templates of models, shortened to what they do with texts. */
  enum Case {
    CHATML(
        """
        {% for message in messages %}{{ '<|im_start|>' + message.role + '\\n' + message.content \
        + '<|im_end|>\\n' }}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' \
        }}{% endif %}""",
        true, null),
    LLAMA_3(
        """
        {% for message in messages %}{% set content = '<|start_header_id|>' + message['role'] + \
        '<|end_header_id|>\\n\\n' + message['content'] | trim + '<|eot_id|>' %}{% if loop.index0 == 0 \
        %}{% set content = bos_token + content %}{% endif %}{{ content }}{% endfor %}{% if \
        add_generation_prompt %}{{ '<|start_header_id|>assistant<|end_header_id|>\\n\\n' }}{% endif %}\
        """,
        true, null),
    GEMMA(
        """
        {{ bos_token }}{% if messages[0]['role'] == 'system' %}{{ raise_exception('System role not \
        supported') }}{% endif %}{% for message in messages %}{% if message['role'] == 'assistant' \
        %}{% set role = 'model' %}{% else %}{% set role = message['role'] %}{% endif %}{{ \
        '<start_of_turn>' + role + '\\n' + message['content'] | trim + '<end_of_turn>\\n' }}{% endfor \
        %}{% if add_generation_prompt %}{{ '<start_of_turn>model\\n' }}{% endif %}""",
        false, null),
    SYSTEM_IN_FIRST_TURN(
        """
        {% if messages[0]['role'] == 'system' %}{% set loop_messages = messages[1:] %}{% set \
        system_message = messages[0]['content'] %}{% else %}{% set loop_messages = messages %}{% set \
        system_message = false %}{% endif %}{% for message in loop_messages %}{% if loop.index0 == 0 \
        and system_message != false %}{% set content = '<<SYS>>\\n' + system_message + \
        '\\n<</SYS>>\\n\\n' + message['content'] %}{% else %}{% set content = message['content'] %}\
        {% endif %}{% if message['role'] == 'user' %}{{ bos_token + '[INST] ' + content.strip() + \
        ' [/INST]' }}{% else %}{{ content.strip() + eos_token }}{% endif %}{% endfor %}""",
        true, null),
    QWEN_2_5(
        """
        {% if messages[0]['role'] == 'system' %}{{ '<|im_start|>system\\n' + messages[0]['content'] + \
        '<|im_end|>\\n' }}{% else %}{{ '<|im_start|>system\\nYou are Qwen.<|im_end|>\\n' }}{% endif %}\
        {% for message in messages %}{% if message.role == 'user' or (message.role == 'system' and \
        not loop.first) or message.role == 'assistant' %}{{ '<|im_start|>' + message.role + '\\n' + \
        message.content + '<|im_end|>' + '\\n' }}{% endif %}{% endfor %}{% if add_generation_prompt \
        %}{{ '<|im_start|>assistant\\n' }}{% endif %}""",
        true, "You are Qwen."),
    BRACES(
        """
        {% for message in messages %}{{ '{{' + message.role + '}} ' + message.content + ' {{ .End }} '\
        }}{% endfor %}{{ '{{assistant}} ' }}""",
        true, null);

    private final String source;
    private final boolean takesSystem;
    private final @Nullable String system;

    Case(String source, boolean takesSystem, @Nullable String system) {
      this.source = source;
      this.takesSystem = takesSystem;
      this.system = system;
    }
  }

  @ParameterizedTest
  @EnumSource
  void theFormRendersWhatTheTemplateDoes(Case chat) {
    ChatRenderer template = renderer(chat.source);
    OllamaTemplate found = OllamaTemplate.of(template, BOS).orElseThrow();
    assertThat(found.system()).isEqualTo(chat.system);
    requireSame(template, found, null);
    if (chat.takesSystem) {
      requireSame(template, found, "Be brief.");
    }
    assertThat(found.text().contains(".System")).isEqualTo(chat.takesSystem);
  }

  @ParameterizedTest
  @ValueSource(strings = {"llama", "qwen2", "qwen3", "gpt2"})
  void templatesOfFixturesHaveAForm(String model) throws IOException {
    Path file = ModelFolders.fixture("models/" + model + "/chat_template.jinja");
    ChatRenderer template = renderer(Files.readString(file));
    OllamaTemplate found = OllamaTemplate.of(template, "").orElseThrow();
    requireSame(template, found, null);
    requireSame(template, found, "Be brief.");
  }

  @Test
  void theTextIsThatOfOllamasLibrary() {
    assertThat(OllamaTemplate.of(renderer(Case.CHATML.source), "").orElseThrow().text())
        .isEqualTo(
            """
            {{ if .System }}<|im_start|>system
            {{ .System }}<|im_end|>
            <|im_start|>user
            {{ else }}<|im_start|>user
            {{ end }}{{ .Prompt }}<|im_end|>
            <|im_start|>assistant
            {{ .Response }}<|im_end|>
            """);
    assertThat(OllamaTemplate.of(renderer(Case.GEMMA.source), BOS).orElseThrow().text())
        .isEqualTo(
            """
            <start_of_turn>user
            {{ .Prompt }}<end_of_turn>
            <start_of_turn>model
            {{ .Response }}<end_of_turn>
            """);
  }

  /** A blank is before an answer that is given, but not where one is asked for. */
  @Test
  void llama2sTemplateHasNone() {
    String source =
        Case.SYSTEM_IN_FIRST_TURN.source.replace(
            "{{ content.strip() + eos_token }}", "{{ ' ' + content.strip() + ' ' + eos_token }}");
    assertThat(source).contains("' ' + content");
    assertThat(OllamaTemplate.of(renderer(source), BOS)).isEmpty();
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        // The number of a turn, the last text only, the texts backwards.
        "{% for m in messages %}{{ loop.index ~ m.role ~ ': ' ~ m.content ~ ' ' }}{% endfor %}A: ",
        "{{ 'U: ' + messages[-1].content + ' A: ' }}",
        "{% for m in messages | reverse %}{{ m.role + ': ' + m.content + ' ' }}{% endfor %}A: ",
        // Something before all turns that is no system message.
        "Chat. {% for m in messages %}{{ m.role + ': ' + m.content + ' ' }}{% endfor %}A: ",
        // A user's text twice; no text at all; no conversation is allowed.
        "{% for m in messages %}{{ m.role + m.content + m.content }}{% endfor %}A: ",
        "nothing",
        "{{ raise_exception('no') }}",
      })
  void otherTemplatesHaveNone(String source) {
    assertThat(OllamaTemplate.of(renderer(source), "")).isEmpty();
  }

  private static ChatRenderer renderer(String source) {
    ChatTemplate template = ChatTemplate.parse(source, "test");
    return (messages, prompt, variables) -> {
      Map<String, @Nullable Object> all = new HashMap<>(variables);
      all.put("bos_token", BOS);
      all.put("eos_token", "</s>");
      return template.render(messages, prompt, all);
    };
  }

  private static void requireSame(
      ChatRenderer template, OllamaTemplate found, @Nullable String system) {
    for (int turns = 1; turns <= 4; turns++) {
      List<Message> messages = new ArrayList<>();
      Optional.ofNullable(system).ifPresent(text -> messages.add(Message.of("system", text)));
      StringBuilder text = new StringBuilder();
      for (int i = 0; i < turns; i++) {
        boolean last = i == turns - 1;
        String user = "question %d?".formatted(i);
        String answer = "answer %d.".formatted(i);
        messages.add(Message.of("user", user));
        if (!last) {
          messages.add(Message.of("assistant", answer));
        }
        String first = system == null ? found.system() : system;
        text.append(turn(found.text(), i == 0 ? first : null, user, last ? null : answer));
      }
      String expected = template.render(messages, true, Map.of());
      assertThat(text.toString()).isEqualTo(expected.replaceFirst("^" + BOS, ""));
    }
  }

  /** One turn of Go's language as far as it is used; up to the answer if there is none yet. */
  private static String turn(
      String template, @Nullable String system, String user, @Nullable String answer) {
    StringBuilder text = new StringBuilder();
    Matcher action = Pattern.compile("\\{\\{ (.*?) \\}\\}").matcher(template);
    boolean shown = true;
    int from = 0;
    while (action.find()) {
      text.append(shown ? template.substring(from, action.start()) : "");
      from = action.end();
      switch (action.group(1)) {
        case "if .System" -> shown = system != null && !system.isEmpty();
        case "else" -> shown = !shown;
        case "end" -> shown = true;
        case "\"{{\"" -> text.append(shown ? "{{" : "");
        case ".System" -> text.append(shown ? system : "");
        case ".Prompt" -> text.append(user);
        case ".Response" -> {
          if (answer == null) {
            return text.toString();
          }
          text.append(answer);
        }
        default -> throw new IllegalArgumentException(action.group());
      }
    }
    return text.append(template.substring(from)).toString();
  }
}
