package org.dpo4j.encode;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.io.InputStream;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.BitSet;
import java.util.List;
import java.util.Objects;
import java.util.stream.IntStream;
import java.util.stream.StreamSupport;
import org.dpo4j.data.CompletionRole;
import org.dpo4j.data.RowNumbers;
import org.dpo4j.data.RowOrigin;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/**
 * Closes: long rows that lose other ids than in TRL, or ids that are scored where TRL masks them.
 */
class TruncationTest {

  /** Recorded by {@code record_truncation.py}. */
  @TestFactory
  List<DynamicTest> pairsAreCutAsInTrl() throws IOException {
    JsonNode recorded;
    try (InputStream file =
        Objects.requireNonNull(getClass().getResourceAsStream("/fixtures/truncation.json"))) {
      recorded = JsonMapper.shared().readTree(file);
    }
    int maxLength = recorded.get("max_length").intValue();
    List<DynamicTest> tests = new ArrayList<>();
    for (JsonNode each : recorded.get("cases")) {
      JsonNode ids = each.get("example");
      EncodedExample example =
          new EncodedExample(
              new RowOrigin("pairs.jsonl", 1, 1),
              ids(ids.get("prompt_ids")),
              ids(ids.get("chosen_ids")),
              ids(ids.get("rejected_ids")));
      boolean keepsEnd = each.get("mode").stringValue().equals("keep_end");
      EncodedExample cut = keepsEnd ? example.cutStart(maxLength) : example.cut(maxLength);
      if (!keepsEnd && example.promptIds().length >= maxLength) {
        continue; // dropped, here and in TRL
      }
      tests.add(
          DynamicTest.dynamicTest(
              each.get("mode").stringValue() + " " + example.promptIds().length,
              () -> {
                for (int side = 0; side < 2; side++) {
                  EncodedCompletion completion = cut.completions().get(side);
                  JsonNode expected = each.get("sides").get(side);
                  assertThat(whole(cut, completion)).isEqualTo(ids(expected.get("ids")));
                  assertThat(scored(cut, completion)).isEqualTo(ids(expected.get("scored")));
                }
              }));
    }
    assertThat(tests).hasSizeGreaterThan(12);
    return tests;
  }

  /** SFT: the row as TRL cuts it, {@code [-max_length:]} of ids and mask. */
  @Test
  void aDemonstrationKeepsItsEndWithItsMask() {
    BitSet unscored = new BitSet();
    unscored.set(1);
    unscored.set(3);
    EncodedExample cut =
        new EncodedExample(
                new RowOrigin("rows.jsonl", 1, 1),
                new int[] {1, 2},
                List.of(new EncodedCompletion(CompletionRole.CHOSEN, new int[] {3, 4, 5, 6, 7})),
                RowNumbers.NONE)
            .unscored(unscored)
            .cutStart(4);
    assertThat(cut.promptIds()).isEmpty();
    assertThat(whole(cut, cut.completions().get(0))).containsExactly(4, 5, 6, 7);
    assertThat(scored(cut, cut.completions().get(0))).containsExactly(0, 1, 0, 1);
  }

  /** Pairs whose sides have one length keep one prompt, which is then computed once. */
  @Test
  void sidesOfOneLengthShareWhatIsLeftOfThePrompt() {
    EncodedExample example =
        new EncodedExample(
            new RowOrigin("pairs.jsonl", 1, 1),
            new int[] {1, 2, 3, 4},
            new int[] {5, 6},
            new int[] {7, 8});
    EncodedExample cut = example.cutStart(4);
    assertThat(cut.promptIds()).containsExactly(3, 4);
    assertThat(cut.completions()).allMatch(completion -> completion.unscored() == null);
    assertThat(example.cutStart(99)).usingRecursiveComparison().isEqualTo(example);
  }

  private static int[] whole(EncodedExample example, EncodedCompletion completion) {
    return IntStream.concat(Arrays.stream(example.promptIds()), Arrays.stream(completion.ids()))
        .toArray();
  }

  private static int[] scored(EncodedExample example, EncodedCompletion completion) {
    int prompt = example.promptIds().length;
    int[] scored = new int[prompt + completion.ids().length];
    BitSet unscored = completion.unscored();
    for (int i = 0; i < completion.ids().length; i++) {
      scored[prompt + i] = unscored != null && unscored.get(i) ? 0 : 1;
    }
    return scored;
  }

  private static int[] ids(JsonNode list) {
    return StreamSupport.stream(list.spliterator(), false).mapToInt(JsonNode::intValue).toArray();
  }
}
