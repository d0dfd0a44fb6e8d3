package org.dpo4j.data;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.dpo4j.DpoException;
import org.dpo4j.Message;
import org.dpo4j.options.Limit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Closes prompts that are read by other rules than the prompts of pairs, and words of our code. */
class PromptReaderTest {
  private final Path folder;

  PromptReaderTest(@TempDir Path folder) {
    this.folder = folder;
  }

  @Test
  void aTextFileHasAPromptOnEachLine() throws IOException {
    List<PromptReader.Prompt> prompts = read("p.txt", "Größe?\n\n{\"prompt\": 1}\n");
    assertThat(prompts)
        .extracting(prompt -> prompt.messages().get(0).content())
        .containsExactly("Größe?", "{\"prompt\": 1}");
    assertThat(prompts.get(1).origin()).asString().endsWith("p.txt:3]");
  }

  @Test
  void rowsHaveAColumnOfPrompts() throws IOException {
    List<Message> turns = List.of(Message.of("system", "s"), Message.of("user", "p"));
    String list = "[{\"role\":\"system\",\"content\":\"s\"},{\"role\":\"user\",\"content\":\"p\"}]";
    String rows =
        """
        {"prompt":"p","chosen":NaN}
        {"prompt":LIST}
        {"messages":LIST}
        {"conversations":[{"from":"system","value":"s"},{"from":"human","value":"p"}]}
        """
            .replace("LIST", list);
    List<PromptReader.Prompt> prompts = read("p.jsonl", rows);
    assertThat(prompts.get(0).messages()).containsExactly(Message.of("user", "p"));
    assertThat(prompts.subList(1, 4)).extracting(PromptReader.Prompt::messages).containsOnly(turns);
    assertThat(read("p.csv", "n,prompt\n1,\"p, q\"\n").get(0).messages())
        .containsExactly(Message.of("user", "p, q"));
  }

  @Test
  void theOtherColumnsOfARowAreKept() throws IOException {
    assertThat(
            read("p.jsonl", "{\"n\":1,\"prompt\":\"p\",\"answer\":{\"a\":null}}").get(0).columns())
        .hasToString("{n=1, answer={a=null}}");
    assertThat(read("p.csv", "n,prompt\n1,p\n").get(0).columns()).isEqualTo(Map.of("n", "1"));
    assertThat(read("p.txt", "p").get(0).columns()).isEmpty();
  }

  @Test
  void textWithoutAnEndIsRefused() throws IOException {
    byte[] more = new byte[Limit.PROMPTS_BYTES.length() + 1];
    Path file = Files.write(folder.resolve("p.txt"), more);
    String rule = "must be at most 67,108,864 bytes but is more";
    assertThatThrownBy(() -> PromptReader.read(file))
        .isInstanceOf(DpoException.class)
        .hasMessageStartingWith("[%s] the file %s".formatted(file, rule));
    assertThatThrownBy(() -> PromptReader.readStandardInput(new ByteArrayInputStream(more)))
        .isInstanceOf(DpoException.class)
        .hasMessageStartingWith("[standard input] the text " + rule)
        .hasMessageContaining("-Ddpo4j.limit.prompts_bytes=N");
  }

  @Test
  void aRowWithoutAPromptSaysSoInWordsOfJson() {
    assertThatThrownBy(() -> read("p.jsonl", "{\"prompt\":\"a\"}\n\"Größe?\"\n"))
        .hasMessageEndingWith("p.jsonl:2] row is not an object: found a string; write {...}");
    assertThatThrownBy(() -> read("p.jsonl", "{\"text\":\"a\"}"))
        .hasMessageEndingWith("p.jsonl:1] missing field \"prompt\": found \"text\" (a string)");
    assertThatThrownBy(() -> read("p.jsonl", "{\"prompt\":5}"))
        .hasMessageEndingWith(
            "wrong type of field \"prompt\": must be a text or a list of messages but is a number");
    assertThatThrownBy(() -> read("p.jsonl", "\n"))
        .isInstanceOf(DpoException.class)
        .hasMessageContaining("at least one prompt");
  }

  private List<PromptReader.Prompt> read(String name, String text) throws IOException {
    return PromptReader.read(Files.writeString(folder.resolve(name), text));
  }
}
