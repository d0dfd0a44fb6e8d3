package org.dpo4j.parity;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.Arrays;
import java.util.HexFormat;
import org.dpo4j.data.Example;
import org.dpo4j.data.ExampleReader;
import org.dpo4j.encode.EncodedExample;
import org.dpo4j.encode.EncodingCounts;
import org.dpo4j.encode.EncodingLimits;
import org.dpo4j.encode.ExampleDataset;
import org.dpo4j.encode.ExampleEncoder;
import org.dpo4j.encode.OnBadRow;
import org.dpo4j.tokenizer.ModelTokenizer;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * Closes ids that differ from TRL's on real data, and real data that does not run through. Reads
 * files that the project may not contain, from the folder DPO4J_SHARED.
 */
@Tag("shared")
class RealDataTest {
  /** Counts and SHA-256 of all ids at max_length 512, by TRL 1.16.0 and transformers 5.23.0. */
  @ParameterizedTest
  @CsvSource({
    "hh_harmless_500.jsonl, fixtures/tokenizers/gpt2, 493, 4, 7, 41,"
        + "25f79acb7e9d63253fe3c7c1bbddb0b9736dfed5f613eedd7ac5998ee36615d1",
    "dpo_en_demo.jsonl, models/tiny-chat, 180, 103, 120, 0,"
        + "44ec117e2080f5ba92aa683a8a1cf945554be01d2e9dd5dad272bc7bb952c086"
  })
  void realDataHasNoBadRowAndTrlsIds(
      String file, String model, int kept, int cut, int dropped, int unmatched, String sha256)
      throws NoSuchAlgorithmException {
    ExampleDataset data =
        ExampleDataset.load(
            shared().resolve("data").resolve(file), encoder(model, 512), OnBadRow.STOP);
    assertThat(data.counts().bad()).isEmpty();
    assertThat(data.counts().kept()).isEqualTo(kept);
    assertThat(data.counts().cut()).isEqualTo(cut);
    assertThat(data.counts().dropped().get(ExampleEncoder.PROMPT_TOO_LONG))
        .extracting(EncodingCounts.Tally::rows)
        .isEqualTo(dropped);
    int merged =
        data.counts().warnings().entrySet().stream()
            .filter(entry -> entry.getKey().startsWith("a token crosses the end of the prompt"))
            .mapToInt(entry -> entry.getValue().rows())
            .sum();
    assertThat(merged).isEqualTo(unmatched);
    MessageDigest digest = MessageDigest.getInstance("SHA-256");
    for (EncodedExample pair : data.examples()) {
      String ids =
          "[%s, %s, %s]"
              .formatted(
                  Arrays.toString(pair.promptIds()),
                  Arrays.toString(pair.chosenIds()),
                  Arrays.toString(pair.rejectedIds()));
      digest.update(ids.getBytes(StandardCharsets.UTF_8));
    }
    assertThat(HexFormat.of().formatHex(digest.digest())).isEqualTo(sha256);
  }

  /** The one row of its kind: chosen is an answer of a single space, after TRL's rule. */
  @Test
  void aSideThatBeginsTheOtherKeepsItsLastCharacter() {
    try (ExampleReader reader =
        ExampleReader.open(shared().resolve("data/hh_harmless_500.jsonl"))) {
      reader.forEach(
          row -> {
            if (row.origin().row() == 87) {
              Example.Text pair = (Example.Text) row.pairsOrThrow().get(0);
              assertThat(pair.chosen()).isEqualTo(" ");
              assertThat(pair.rejected()).startsWith(" Sure");
            }
          });
    }
  }

  private static ExampleEncoder encoder(String model, int maxLength) {
    ModelTokenizer tokenizer = ModelTokenizer.load(shared().resolve(model));
    return ExampleEncoder.of(tokenizer, new EncodingLimits(maxLength, 1024, 50257));
  }

  private static Path shared() {
    String folder = System.getProperty("DPO4J_SHARED", System.getenv("DPO4J_SHARED"));
    assertThat(folder).as("DPO4J_SHARED names the folder of shared files").isNotNull();
    assertThat(Path.of(folder)).isDirectory();
    return Path.of(folder);
  }
}
