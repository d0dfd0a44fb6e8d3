package org.dpo4j.judge;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import java.io.IOException;
import java.net.URISyntaxException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.stream.Stream;
import org.dpo4j.DpoException;
import org.dpo4j.Message;
import org.dpo4j.data.RowOrigin;
import org.dpo4j.data.SampledPrompt;
import org.dpo4j.weights.RewardModel;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/**
 * Closes rewards that are not those of transformers' AutoModelForSequenceClassification: another
 * token, another head, another rendering. {@code core/src/test/python/reward.py} made the numbers.
 */
class RewardJudgeTest {

  private static final Path TINY_CHAT = Path.of("..", "examples", "tiny-chat");

  private final Path folder;

  RewardJudgeTest(@TempDir Path folder) {
    this.folder = folder;
  }

  private static Path fixture(String family) {
    try {
      return Path.of(
          Objects.requireNonNull(RewardJudgeTest.class.getResource("/fixtures/reward/" + family))
              .toURI());
    } catch (URISyntaxException e) {
      throw new IllegalStateException(e);
    }
  }

  private static JsonNode expected(String family) throws IOException {
    return JsonMapper.shared().readTree(Files.readString(fixture(family).resolve("expected.json")));
  }

  @ParameterizedTest
  @ValueSource(strings = {"llama", "qwen2"})
  void rewardsAreThoseOfTransformers(String family) throws IOException {
    List<int[]> sequences = new ArrayList<>();
    List<Double> scores = new ArrayList<>();
    for (JsonNode one : expected(family).get("ids")) {
      sequences.add(one.get("ids").valueStream().mapToInt(JsonNode::asInt).toArray());
      scores.add(one.get("score").asDouble());
    }
    try (RewardModel model = RewardModel.open("reward_model", fixture(family))) {
      double[] together = RewardJudge.rewards(model, sequences);
      for (int i = 0; i < together.length; i++) {
        assertThat(together[i]).isCloseTo(scores.get(i), within(1e-5));
        assertThat(RewardJudge.rewards(model, List.of(sequences.get(i)))[0])
            .isCloseTo(scores.get(i), within(1e-5));
      }
    }
  }

  /** The weights with the tokenizer and the template of another folder. */
  private Path withTokenizer(String family) throws IOException {
    for (Path from : List.of(TINY_CHAT, fixture(family))) {
      try (Stream<Path> files = Files.list(from)) {
        for (Path file : files.toList()) {
          Path to = folder.resolve(file.getFileName().toString());
          Files.deleteIfExists(to);
          Files.copy(file, to);
        }
      }
    }
    return folder;
  }

  @ParameterizedTest
  @ValueSource(strings = {"llama", "qwen2"})
  void anAnswerIsRenderedByTheTemplate(String family) throws IOException {
    try (Judge judge = Judge.reward(withTokenizer(family), 1, warning -> {})) {
      for (JsonNode chat : expected(family).get("chats")) {
        SampledPrompt prompt =
            new SampledPrompt(
                new RowOrigin("a.jsonl", 1, 1),
                new SampledPrompt.Prompt(
                    null, List.of(Message.user(chat.get("prompt").asString()))),
                Map.of(),
                Map.of(),
                List.of(new SampledPrompt.Completion(0, chat.get("completion").asString(), -1)));
        assertThat(judge.scores(prompt)[0]).isCloseTo(chat.get("score").asDouble(), within(1e-5));
      }
    }
  }

  @Test
  void aModelThatIsNoRewardModelIsRefused() {
    assertThatThrownBy(() -> RewardModel.open("reward_model", TINY_CHAT))
        .isInstanceOf(DpoException.class)
        .hasMessageContaining("\"architectures\" must be [\"...ForSequenceClassification\"]");
  }

  @Test
  void aSequenceThatDoesNotFitIsAnErrorThatNamesItsPlace() throws IOException {
    SampledPrompt prompt =
        new SampledPrompt(
            new RowOrigin("a.jsonl", 7, 1),
            new SampledPrompt.Prompt("word ".repeat(200), List.of()),
            Map.of(),
            Map.of(),
            List.of(new SampledPrompt.Completion(0, "a", -1)));
    try (Judge judge = Judge.reward(withTokenizer("llama"), 1, warning -> {})) {
      assertThatThrownBy(() -> judge.scores(prompt))
          .isInstanceOf(DpoException.class)
          .hasMessageContaining("[a.jsonl:7] a sequence must have 1 to 128 tokens");
    }
  }
}
