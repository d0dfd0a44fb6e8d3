package org.dpo4j.parity;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.dpo4j.data.Message;
import org.dpo4j.data.PairReader;
import org.dpo4j.encode.EncodedPair;
import org.dpo4j.encode.EncodedRow;
import org.dpo4j.encode.EncodingLimits;
import org.dpo4j.encode.OnBadRow;
import org.dpo4j.encode.PairDataset;
import org.dpo4j.encode.PairEncoder;
import org.dpo4j.tokenizer.ChatRenderer;
import org.dpo4j.tokenizer.HuggingFaceTextTokenizer;
import org.dpo4j.tokenizer.SpecialTokens;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/**
 * Closes ids that differ from TRL's with a tokenizer in wide use, and real data that does not run
 * through. Reads files that the project may not contain, from the folder DPO4J_SHARED.
 */
@Tag("shared")
class EncodeFixturesTest {
  private static final ChatRenderer CHATML =
      (messages, addGenerationPrompt) -> {
        StringBuilder text = new StringBuilder();
        for (Message message : messages) {
          text.append("<|im_start|>").append(message.role()).append('\n');
          text.append(message.content()).append("<|im_end|>\n");
        }
        return text.append(addGenerationPrompt ? "<|im_start|>assistant\n" : "").toString();
      };

  @ParameterizedTest
  @ValueSource(strings = {"gpt2_explicit", "gpt2_implicit"})
  void plainTextHasTrlsIds(String name) throws IOException {
    Path folder = shared().resolve("fixtures/encode");
    List<EncodedPair> pairs =
        PairDataset.load(folder.resolve(name + ".pairs.jsonl"), gpt2(0), OnBadRow.STOP).pairs();
    List<String> expected = Files.readAllLines(folder.resolve(name + ".tokens.jsonl"));
    assertThat(pairs).hasSameSizeAs(expected).hasSize(32);
    for (int i = 0; i < pairs.size(); i++) {
      JsonNode ids = JsonMapper.shared().readTree(expected.get(i));
      assertThat(pairs.get(i).promptIds()).containsExactly(ints(ids.get("prompt_ids")));
      assertThat(pairs.get(i).chosenIds()).containsExactly(ints(ids.get("chosen_ids")));
      assertThat(pairs.get(i).rejectedIds()).containsExactly(ints(ids.get("rejected_ids")));
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"hh_harmless_500.jsonl", "dpo_en_demo.jsonl"})
  void realDataHasNoBadRow(String name) {
    List<EncodedRow> rows = new ArrayList<>();
    PairDataset.Walk walk =
        PairDataset.forEachRow(
            shared().resolve("data").resolve(name), gpt2(512), OnBadRow.STOP, rows::add);
    assertThat(rows).hasSize(walk.counts().rows()).hasSizeBetween(300, 500);
    assertThat(walk.counts().bad()).isEmpty();
    System.out.println(name + ": " + walk.counts().summary());
  }

  /** The one row of its kind: chosen is an answer of a single space, after TRL's rule. */
  @Test
  void aSideThatBeginsTheOtherKeepsItsLastCharacter() {
    try (PairReader reader = PairReader.open(shared().resolve("data/hh_harmless_500.jsonl"))) {
      reader.forEach(
          row -> {
            if (row.origin().row() == 87) {
              assertThat(row.pairOrThrow().toString()).contains("chosen= , rejected= Sure");
            }
          });
    }
  }

  private static PairEncoder gpt2(int maxLength) {
    Path folder = shared().resolve("fixtures/tokenizers/gpt2");
    return new PairEncoder(
        HuggingFaceTextTokenizer.load(folder),
        CHATML,
        SpecialTokens.fromModelFolder(folder),
        new EncodingLimits(maxLength, 1024, 50257));
  }

  private static int[] ints(JsonNode list) {
    return list.valueStream().mapToInt(JsonNode::intValue).toArray();
  }

  private static Path shared() {
    String folder = System.getProperty("DPO4J_SHARED", System.getenv("DPO4J_SHARED"));
    assertThat(folder).as("DPO4J_SHARED names the folder of shared files").isNotNull();
    assertThat(Path.of(folder)).isDirectory();
    return Path.of(folder);
  }
}
