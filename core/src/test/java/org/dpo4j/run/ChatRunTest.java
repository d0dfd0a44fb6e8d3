package org.dpo4j.run;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.dpo4j.run.RunFixture.output;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.Arrays;
import java.util.Deque;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.dpo4j.DpoException;
import org.dpo4j.UsageException;
import org.dpo4j.config.ChatConfig;
import org.dpo4j.config.GenerateConfig;
import org.dpo4j.report.SafeText;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.json.JsonMapper;

/**
 * Closes: an answer that does not know the turns before it, or differs from that of generate; a
 * turn that is dropped without a word; a command that reaches the model; an answer that goes on
 * after it was stopped; the answers of two models that are mixed up.
 */
class ChatRunTest {

  private static final Path TINY_CHAT = Path.of("..", "examples", "tiny-chat");

  private final ByteArrayOutputStream out = new ByteArrayOutputStream();
  private final ByteArrayOutputStream err = new ByteArrayOutputStream();
  private final Path folder;

  ChatRunTest(@TempDir Path folder) {
    this.folder = folder;
  }

  /** Says lines that were written before. */
  private static class Script implements ChatRun.Person {
    private final Deque<String> lines;
    private final int width;
    private final int stopAfter; // tokens of the first answer
    private int asked;
    private int answers;

    Script(int width, int stopAfter, String... lines) {
      this.lines = new ArrayDeque<>(List.of(lines));
      this.width = width;
      this.stopAfter = stopAfter;
    }

    @Override
    public @Nullable String line(String prompt) {
      return lines.poll();
    }

    @Override
    public int width() {
      return width;
    }

    @Override
    public void answering() {
      answers++;
      asked = 0;
    }

    @Override
    public boolean stopped() {
      asked++;
      return answers == 1 && asked == stopAfter;
    }

    @Override
    public void answered() {}
  }

  private static ChatConfig config(Object... options) {
    Map<String, Object> all =
        new HashMap<>(
            Map.of("model", TINY_CHAT, "threads", 1, "temperature", 0, "max_new_tokens", 16));
    for (int i = 0; i < options.length; i += 2) {
      all.put((String) options[i], options[i + 1]);
    }
    return ChatConfig.of(all);
  }

  private List<String> chat(ChatConfig config, Script person) {
    out.reset();
    err.reset();
    ChatRun.run(config, person, output(out, err));
    return out.toString(StandardCharsets.UTF_8).lines().toList();
  }

  private String said() {
    return err.toString(StandardCharsets.UTF_8);
  }

  private List<String> chat(String... lines) {
    return chat(config(), new Script(0, 0, lines));
  }

  /** What generate answers to a conversation. */
  private String generated(Path model, String conversation) throws IOException {
    Path prompts = Files.writeString(folder.resolve("p.jsonl"), conversation + "\n");
    ByteArrayOutputStream text = new ByteArrayOutputStream();
    GenerateRun.run(
        GenerateConfig.of(
            Map.of("model", model, "prompts_file", prompts, "threads", 1, "max_new_tokens", 16)),
        output(text));
    return JsonMapper.shared().readTree(text.toByteArray()).get("completion").asString();
  }

  private static String turn(String role, String content) {
    return "{\"role\": \"%s\", \"content\": %s}"
        .formatted(role, JsonMapper.shared().writeValueAsString(content));
  }

  @Test
  void anAnswerKnowsTheTurnsBeforeIt() throws IOException {
    String first = generated(TINY_CHAT, "{\"prompt\": [" + turn("user", "Hello") + "]}");
    String second =
        generated(
            TINY_CHAT,
            "{\"prompt\": [%s, %s, %s]}"
                .formatted(
                    turn("user", "Hello"), turn("assistant", first), turn("user", "And a city?")));
    assertThat(String.join("\n", chat("Hello", "", "And a city?")))
        .isEqualTo(first + "\n" + second);
    String alone = generated(TINY_CHAT, "{\"prompt\": [" + turn("user", "And a city?") + "]}");
    assertThat(alone).isNotEqualTo(second);
    assertThat(String.join("\n", chat("Hello", "/reset", "And a city?")))
        .isEqualTo(first + "\n" + alone);
    assertThat(said()).contains("a new conversation begins");
  }

  @Test
  void aSystemPromptIsSetAndRemoved() throws IOException {
    String with =
        generated(
            TINY_CHAT,
            "{\"prompt\": [%s, %s]}".formatted(turn("system", "Be brief."), turn("user", "Hi")));
    String without = generated(TINY_CHAT, "{\"prompt\": [" + turn("user", "Hi") + "]}");
    assertThat(with).isNotEqualTo(without);
    assertThat(String.join("\n", chat("/system Be brief.", "Hi", "/reset", "/system", "Hi")))
        .isEqualTo(with + "\n" + without);
    assertThat(String.join("\n", chat(config("system", "Be brief."), new Script(0, 0, "Hi"))))
        .isEqualTo(with);
  }

  @Test
  void parametersAreShownAndSetAndAWrongOneChangesNothing() {
    chat("/params", "/params temperature=0.5 top_k=7", "/params top_p=2", "/params color=red");
    assertThat(said().lines())
        .containsExactly(
            "max_new_tokens=16 temperature=0 top_p=1 top_k=0 min_p=0 repetition_penalty=1 seed=0",
            "max_new_tokens=16 temperature=0.5 top_p=1 top_k=7 min_p=0 repetition_penalty=1 seed=0",
            "top_p must be above 0 and at most 1 but was 2; 1 turns it off; nothing was changed",
            "\"color=red\" must be NAME=VALUE, with a NAME of max_new_tokens, temperature, top_p, top_k, min_p,"
                + " repetition_penalty, seed; nothing was changed");
    List<String> cut = chat("/params max_new_tokens=1", "Hello");
    assertThat(String.join("", cut).length()).isLessThan(12);
    assertThat(said())
        .contains("the answer was cut at 1 tokens; /params max_new_tokens=2 allows more");
  }

  @Test
  void commandsDoNotReachTheModel() {
    assertThat(chat("/help", "/rest", "/exit", "Hello")).isEmpty();
    assertThat(said()).contains("/params", "Ctrl-C", "/rest is no command; did you mean /reset?");
    assertThat(chat("//etc")).isNotEmpty();
    assertThat(said()).doesNotContain("command");
  }

  @Test
  void aStoppedAnswerEndsAndTheConversationGoesOn() throws IOException {
    List<String> lines = chat(config(), new Script(0, 3, "Tell me a story.", "Hello"));
    assertThat(lines).hasSizeGreaterThanOrEqualTo(2);
    String whole = generated(TINY_CHAT, "{\"prompt\": [" + turn("user", "Tell me a story.") + "]}");
    assertThat(whole).startsWith(lines.get(0)).isNotEqualTo(lines.get(0));
    assertThat(said()).startsWith("the answer was stopped");
  }

  @Test
  void aConversationThatNoLongerFitsIsNotCutSilently() {
    String[] lines = new String[60];
    Arrays.fill(lines, "What is 7 times 12, and what is the name of a city in Canada?");
    chat(lines);
    assertThat(said())
        .contains(
            "not answered: a prompt must have from 1 to ",
            "the prompt is the whole conversation, and /reset begins a new one");
  }

  @Test
  void twoModelsAnswerWithTheirOwnHistories() throws IOException {
    Path other = RunFixture.model("llama", folder);
    String here = generated(TINY_CHAT, "{\"prompt\": [" + turn("user", "Hello") + "]}");
    String there = generated(other, "{\"prompt\": [" + turn("user", "Hello") + "]}");
    List<String> narrow = chat(config("compare_with", other), new Script(60, 0, "Hello"));
    assertThat(String.join("\n", narrow))
        .isEqualTo(
            "/help shows the commands\n[%s]\n%s\n[%s]\n%s"
                .formatted(other, SafeText.text(there), TINY_CHAT, SafeText.text(here)));
    List<String> wide = chat(config("compare_with", other), new Script(160, 0, "Hello"));
    assertThat(wide.get(1)).contains(" | [" + TINY_CHAT);
    assertThat(wide.subList(1, wide.size())).allMatch(line -> line.indexOf(" | ") == 78);
  }

  @Test
  void columnsAreWrappedAtWordsAndKeepEveryCharacter() {
    assertThat(Columns.of("one two three", "x\n\nlongerthanthecolumn", 23))
        .containsExactly(
            "one two    | x", "three      |", "           | longerthan", "           | thecolumn");
  }

  @Test
  void whatTheModelWritesCannotControlTheTerminal() throws IOException {
    // A model of random weights writes any byte.
    Path other = RunFixture.model("llama", folder);
    chat(
        config("model", other, "temperature", 5, "max_new_tokens", 200),
        new Script(0, 0, "a", "b", "c"));
    assertThat(out.toString(StandardCharsets.UTF_8)).contains("\\u00");
    assertThat(out.toString(StandardCharsets.UTF_8).codePoints())
        .noneMatch(point -> point < ' ' && point != '\n' && point != '\t' && point != '\r');
  }

  @Test
  void aModelWithoutATemplateIsRefusedWithTheRemedy() throws IOException {
    Path model = RunFixture.family("falcon", folder);
    assertThatThrownBy(() -> chat(config("model", model), new Script(0, 0)))
        .isInstanceOf(DpoException.class)
        .hasMessageContaining("needs a chat template")
        .hasMessageContaining("generate");
    assertThatThrownBy(() -> chat(config("compare_with", folder), new Script(0, 0)))
        .isInstanceOf(UsageException.class)
        .hasMessageContaining("compare_with must be a checkpoint folder");
  }
}
