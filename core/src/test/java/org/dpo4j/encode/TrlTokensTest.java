package org.dpo4j.encode;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.dpo4j.encode.EncodedRow.Status;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/**
 * Closes every way of getting other ids than TRL: boundary, EOS, implicit prompts, truncation. The
 * expected ids were made by TRL 1.16.0 with transformers 5.23.0.
 */
class TrlTokensTest {
  private static final JsonMapper JSON = JsonMapper.shared();

  private final Path folder;

  TrlTokensTest(@TempDir Path folder) {
    this.folder = folder;
  }

  @ParameterizedTest
  @ValueSource(strings = {"chat_explicit", "chat_implicit"})
  void conversationsHaveTrlsIds(String name) throws IOException {
    Path pairs = LlamaFixture.FIXTURES.resolve("encode/" + name + ".pairs.jsonl");
    List<EncodedExample> encoded = usable(pairs, 0);
    List<String> expected =
        Files.readAllLines(LlamaFixture.FIXTURES.resolve("encode/" + name + ".tokens.jsonl"));
    assertThat(encoded).hasSameSizeAs(expected).hasSize(32);
    for (int i = 0; i < expected.size(); i++) {
      assertSame(encoded.get(i), JSON.readTree(expected.get(i)));
    }
  }

  /** Each row stands in a file of its own, since a file has its prompts in one place. */
  @TestFactory
  List<DynamicTest> trapsHaveTrlsIds() throws IOException {
    List<DynamicTest> tests = new ArrayList<>();
    for (String line : Files.readAllLines(LlamaFixture.FIXTURES.resolve("encode/traps.jsonl"))) {
      JsonNode trap = JSON.readTree(line);
      Path file = folder.resolve("trap%d.jsonl".formatted(tests.size()));
      Files.writeString(file, trap.get("pair").toString());
      tests.add(
          DynamicTest.dynamicTest(
              trap.get("name").stringValue(),
              () -> {
                EncodedRow row = rows(file, 0).get(0);
                assertSame(row.usable().orElseThrow(), trap);
                assertThat(row.unmatchedPromptIds()).isEqualTo(ints(trap, "unmatched"));
              }));
    }
    assertThat(tests).hasSize(16);
    return tests;
  }

  @Test
  void longPromptsAreDroppedAndLongCompletionsCut() throws IOException {
    Path pairs = LlamaFixture.FIXTURES.resolve("pairs32.jsonl");
    List<EncodedRow> rows = rows(pairs, 256);
    JsonNode expected = JSON.readTree(LlamaFixture.FIXTURES.resolve("pairs32.llama.tokens.json"));
    List<Integer> dropped = new ArrayList<>();
    int next = 0;
    for (int i = 0; i < rows.size(); i++) {
      EncodedRow row = rows.get(i);
      if (row.status() == Status.DROPPED) {
        assertThat(row.reason()).isEqualTo(ExampleEncoder.PROMPT_TOO_LONG);
        dropped.add(i);
        continue;
      }
      JsonNode uncut = expected.get(next++);
      EncodedExample pair = row.usable().orElseThrow();
      int room = 256 - pair.promptIds().length;
      assertThat(pair.promptIds()).containsExactly(array(uncut, "prompt_ids", 256));
      assertThat(pair.chosenIds()).containsExactly(array(uncut, "chosen_ids", room));
      assertThat(pair.rejectedIds()).containsExactly(array(uncut, "rejected_ids", room));
    }
    assertThat(dropped).containsExactly(6, 13, 21, 27);
    assertThat(next).isEqualTo(28).isEqualTo(expected.size());
  }

  private static void assertSame(EncodedExample pair, JsonNode expected) {
    assertThat(pair.promptIds()).containsExactly(array(expected, "prompt_ids", 9999));
    assertThat(pair.chosenIds()).containsExactly(array(expected, "chosen_ids", 9999));
    assertThat(pair.rejectedIds()).containsExactly(array(expected, "rejected_ids", 9999));
  }

  private static List<EncodedRow> rows(Path file, int maxLength) {
    List<EncodedRow> rows = new ArrayList<>();
    ExampleDataset.forEachRow(file, LlamaFixture.encoder(maxLength), OnBadRow.STOP, rows::add);
    return rows;
  }

  private static List<EncodedExample> usable(Path file, int maxLength) {
    return ExampleDataset.load(file, LlamaFixture.encoder(maxLength), OnBadRow.STOP).examples();
  }

  private static List<Integer> ints(JsonNode row, String field) {
    List<Integer> ids = new ArrayList<>();
    row.get(field).forEach(id -> ids.add(id.intValue()));
    return ids;
  }

  private static int[] array(JsonNode row, String field, int limit) {
    return ints(row, field).stream().limit(limit).mapToInt(Integer::intValue).toArray();
  }
}
