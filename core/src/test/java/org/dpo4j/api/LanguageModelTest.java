package org.dpo4j.api;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.dpo4j.DpoException;
import org.dpo4j.Message;
import org.dpo4j.PromptException;
import org.dpo4j.UsageException;
import org.dpo4j.config.ScoreConfig;
import org.dpo4j.report.Progress;
import org.dpo4j.report.RunOutput;
import org.dpo4j.run.ScoreRun;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/**
 * Closes: an API whose numbers are not those of training and {@code score}, text that is lost or
 * broken between streamed pieces, and a model that is used by two threads at once or after it was
 * freed.
 */
class LanguageModelTest {

  private static final Path TINY_CHAT = Path.of("../examples/tiny-chat");
  private static final Path PAIRS = Path.of("../examples/pairs.jsonl");
  private static final List<Message> QUESTION = List.of(Message.user("What is 2 + 2?"));

  private static final LanguageModel MODEL = LanguageModel.open(TINY_CHAT);

  @AfterAll
  static void close() {
    MODEL.close();
  }

  @Test
  void scoresOfAFileAreThoseOfTheCommand(@TempDir Path folder) throws IOException {
    Path file = Files.write(folder.resolve("p.jsonl"), Files.readAllLines(PAIRS).subList(0, 11));
    List<JsonNode> expected = scoreCommand(file, folder.resolve("scores.jsonl"));

    List<PairScore> scores = MODEL.score(PreferencePair.read(file)).toList();

    assertThat(scores).hasSize(11);
    for (int i = 0; i < scores.size(); i++) {
      PairScore score = scores.get(i);
      // The same batches of the same pairs: the same arithmetic.
      assertThat(score.chosenLogProb()).isEqualTo(expected.get(i).path("chosen_logps").asDouble());
      assertThat(score.rejectedLogProb())
          .isEqualTo(expected.get(i).path("rejected_logps").asDouble());
      assertThat(score.chosenTokens()).isEqualTo(expected.get(i).path("chosen_tokens").asInt());
      assertThat(score.rejectedTokens()).isEqualTo(expected.get(i).path("rejected_tokens").asInt());
      assertThat(score.margin()).isEqualTo(score.chosenLogProb() - score.rejectedLogProb());
    }
  }

  private static List<JsonNode> scoreCommand(Path file, Path output) throws IOException {
    ScoreConfig config =
        ScoreConfig.OPTIONS.build(Map.of("model", TINY_CHAT, "data_file", file, "output", output));
    ScoreRun.run(config, new RunOutput(System.err, System.err, Progress.NONE));
    return Files.readAllLines(output).stream()
        .map(line -> JsonMapper.shared().readTree(line))
        .toList();
  }

  @Test
  void theLogProbabilityOfATextIsThatOfAPairsSide() {
    PairScore score = MODEL.score(PreferencePair.of("The sky is", " blue.", " green."));

    // The sides of a pair share their prompt in one batch, which rounds differently.
    assertThat(MODEL.logProb("The sky is", " blue."))
        .isCloseTo(score.chosenLogProb(), relative(score.chosenLogProb()));
    assertThat(MODEL.logProb("The sky is", " green."))
        .isCloseTo(score.rejectedLogProb(), relative(score.rejectedLogProb()));
  }

  @Test
  void theLogProbabilityOfAnAnswerIsThatOfAPairsSide() {
    Message four = Message.assistant("4");
    PairScore score = MODEL.score(PreferencePair.of(QUESTION, four, Message.assistant("5")));

    assertThat(MODEL.logProb(QUESTION, four))
        .isCloseTo(score.chosenLogProb(), relative(score.chosenLogProb()));
  }

  /** Sums in 32 bits over a few hundred terms: well below 1e-4 of the value. */
  private static org.assertj.core.data.Offset<Double> relative(double value) {
    return within(1e-4 * Math.abs(value));
  }

  @Test
  void theLogProbabilitiesOfTokensAddUpAndTheLastTokenIsTheEnd() {
    List<TokenLogProb> text = MODEL.tokenLogProbs("The sky is", " blue.");
    List<TokenLogProb> answer = MODEL.tokenLogProbs(QUESTION, Message.assistant("4"));

    assertThat(sum(text)).isCloseTo(MODEL.logProb("The sky is", " blue."), relative(sum(text)));
    assertThat(sum(answer))
        .isCloseTo(MODEL.logProb(QUESTION, Message.assistant("4")), relative(sum(answer)));
    assertThat(text).allMatch(token -> token.logProb() <= 0);
    assertThat(text.get(text.size() - 1).text()).isEqualTo("<|im_end|>");
  }

  private static double sum(List<TokenLogProb> tokens) {
    return tokens.stream().mapToDouble(TokenLogProb::logProb).sum();
  }

  @Test
  void afterAnEmptyPromptTheFirstTokenDoesNotCount() {
    int all = MODEL.tokenLogProbs("x", " blue.").size();

    assertThat(MODEL.tokenLogProbs("", "x blue.")).hasSizeBetween(1, all);
    assertThat(MODEL.logProb("", "x blue.")).isNegative();
  }

  @Test
  void aTextBeyondTheContextNamesBothNumbers() {
    String long_ = "word ".repeat(MODEL.maxPositions());

    assertThatThrownBy(() -> MODEL.logProb("x", long_))
        .isInstanceOf(DpoException.class)
        .hasMessageContaining(MODEL.maxPositions() + " positions");
  }

  @Test
  void rewardsAreBetaTimesTheLogRatio() {
    List<PreferencePair> pairs =
        List.of(PreferencePair.of("a", " b", " c"), PreferencePair.of("d", " e", " f"));
    assertThatThrownBy(() -> MODEL.rewards(pairs.stream(), MODEL, 0))
        .hasMessageContaining("beta must be positive");

    List<PairRewards> same = MODEL.rewards(pairs.stream(), MODEL, 0.5).toList();

    assertThat(same).hasSize(2).allMatch(rewards -> rewards.margin() == 0);
    PairRewards rewards =
        new PairRewards(new PairScore(-1, -5, 1, 1), new PairScore(-3, -4, 1, 1), 0.5);
    assertThat(rewards.chosen()).isEqualTo(1); // 0.5 (-1 + 3)
    assertThat(rewards.rejected()).isEqualTo(-0.5); // 0.5 (-5 + 4)
    assertThat(rewards.margin()).isEqualTo(1.5);
  }

  @Test
  void aStreamOfPairsIsReadOnlyAsFarAsItsScoresAre() {
    AtomicInteger read = new AtomicInteger();
    Stream<PreferencePair> pairs =
        IntStream.range(0, 1000)
            .mapToObj(i -> PreferencePair.of("q", " a" + i, " b"))
            .peek(pair -> read.incrementAndGet());

    assertThat(MODEL.score(pairs).limit(3)).hasSize(3);
    assertThat(read.get()).isLessThan(100);
  }

  @Test
  void noPairsHaveNoScores() {
    assertThat(MODEL.score(Stream.<PreferencePair>empty())).isEmpty();
  }

  @Test
  void aPairThatCannotBeScoredIsNamedByItsNumber() {
    Stream<PreferencePair> pairs =
        Stream.of(PreferencePair.of("q", " a", " b"), PreferencePair.of("q", " a", " a"));

    assertThatThrownBy(() -> MODEL.score(pairs).toList())
        .isInstanceOf(DpoException.class)
        .hasMessageContaining("[pairs row 2]")
        .hasMessageContaining("identical chosen and rejected");
  }

  @Test
  void piecesOfAGeneratedTextJoinedAreTheText() {
    List<String> pieces = new ArrayList<>();

    Completion streamed = MODEL.generate(QUESTION, Sampling.greedy(40), pieces::add);

    assertThat(pieces).hasSizeGreaterThan(1).doesNotContain("");
    assertThat(String.join("", pieces)).isEqualTo(streamed.text());
    assertThat(MODEL.generate(QUESTION, Sampling.greedy(40))).isEqualTo(streamed);
    assertThat(streamed.tokens()).isBetween(1, 40);
    assertThat(streamed.ended()).isEqualTo(streamed.tokens() < 40);
  }

  @Test
  void aTextIsContinuedWithoutTheChatTemplate() {
    List<String> pieces = new ArrayList<>();

    Completion completion = MODEL.generate("The sky", Sampling.greedy(5), pieces::add);

    assertThat(completion).isEqualTo(MODEL.generate("The sky", Sampling.greedy(5)));
    assertThat(String.join("", pieces)).isEqualTo(completion.text());
  }

  @Test
  void aStopTextEndsTheCompletionAndIsLeftOut() {
    Completion whole = MODEL.generate(QUESTION, Sampling.greedy(40));
    // The stop text may begin and end inside of tokens, so pieces must be held back for it.
    String stop = whole.text().substring(7, 12);
    String before = whole.text().substring(0, whole.text().indexOf(stop));
    List<String> pieces = new ArrayList<>();

    Completion stopped =
        MODEL.generate(
            QUESTION, Sampling.greedy(40).withStops(List.of("not there", stop)), pieces::add);

    assertThat(stopped.text()).isEqualTo(before).isEqualTo(String.join("", pieces));
    assertThat(stopped.ended()).isTrue();
    assertThat(stopped.tokens()).isBetween(1, whole.tokens() - 1);
    assertThat(MODEL.generate(QUESTION, Sampling.greedy(40).withStops(List.of("not there"))))
        .isEqualTo(whole);
  }

  @Test
  void aCompletionAtItsLimitHasNotEndedAndCountsThePrompt() {
    Completion cut = MODEL.generate("The sky is", Sampling.greedy(2));

    assertThat(cut.tokens()).isEqualTo(2);
    assertThat(cut.ended()).isFalse();
    Completion longer = MODEL.generate("The sky is blue", Sampling.greedy(2));
    assertThat(longer.promptTokens()).isGreaterThan(cut.promptTokens());
    int context = MODEL.maxPositions();
    Completion full = MODEL.generate("The sky is", Sampling.random(2 * context, 1).withTopK(3));
    assertThat(full.ended() || full.promptTokens() + full.tokens() == context).isTrue();
  }

  @Test
  void everyFilterReachesTheSampler() {
    Sampling hot = Sampling.random(30, 3).withSeed(5);
    String unfiltered = MODEL.generate("a", hot).text();
    String greedy = MODEL.generate("a", Sampling.greedy(30)).text();

    // Each of these leaves one token to draw from.
    assertThat(MODEL.generate("a", hot.withTopK(1)).text()).isEqualTo(greedy);
    assertThat(MODEL.generate("a", hot.withMinP(1)).text()).isEqualTo(greedy);
    assertThat(MODEL.generate("a", hot.withTopP(Double.MIN_VALUE)).text()).isEqualTo(greedy);
    assertThat(MODEL.generate("a", hot.withTemperature(0)).text()).isEqualTo(greedy);
    assertThat(unfiltered).isNotEqualTo(greedy);
    assertThat(MODEL.generate("a", hot.withTopK(2)).text()).isNotEqualTo(unfiltered);
    assertThat(MODEL.generate("a", Sampling.greedy(30).withRepetitionPenalty(100)).text())
        .isNotEqualTo(greedy);
    assertThat(MODEL.generate("a", hot.withMaxNewTokens(3)).tokens()).isLessThanOrEqualTo(3);
  }

  @Test
  void aPromptThatTheModelCannotReadIsAnExceptionOfItsOwn() {
    String tooLong = "word ".repeat(MODEL.maxPositions());

    assertThatThrownBy(() -> MODEL.generate(tooLong, Sampling.greedy(1)))
        .isInstanceOf(PromptException.class)
        .hasMessageContaining("from 1 to " + (MODEL.maxPositions() - 1) + " tokens");
    assertThatThrownBy(() -> MODEL.generate("", Sampling.greedy(1)))
        .isInstanceOf(PromptException.class)
        .hasMessageContaining("write something");
    ChatTemplate refusing = ChatTemplate.jinja("{{ raise_exception('users first') }}");
    try (LanguageModel model = LanguageModel.builder(TINY_CHAT).chatTemplate(refusing).open()) {
      assertThatThrownBy(() -> model.generate(QUESTION, Sampling.greedy(1)))
          .isInstanceOf(PromptException.class)
          .hasMessageContaining("users first");
    }
  }

  @Test
  void theSeedDecidesWhatIsDrawn() {
    Sampling hot = Sampling.random(20, 5).withTopP(0.999).withSeed(1);

    assertThat(MODEL.generate("a", hot)).isEqualTo(MODEL.generate("a", hot));
    assertThat(MODEL.generate("a", hot.withSeed(2))).isNotEqualTo(MODEL.generate("a", hot));
  }

  @Test
  void anExceptionOfTheConsumerEndsTheGenerationAndLeavesTheModelUsable() {
    assertThatThrownBy(
            () ->
                MODEL.generate(
                    QUESTION,
                    Sampling.greedy(40),
                    piece -> {
                      throw new IllegalArgumentException("enough");
                    }))
        .hasMessage("enough");
    assertThat(MODEL.logProb("a", " b")).isNegative();
  }

  @Test
  void aSlowConsumerDoesNotKeepOtherThreadsFromTheModel() throws Exception {
    CountDownLatch otherDone = new CountDownLatch(1);
    CountDownLatch inside = new CountDownLatch(1);
    ExecutorService other = Executors.newSingleThreadExecutor();
    try {
      Future<Double> logProb =
          other.submit(
              () -> {
                inside.await();
                double value = MODEL.logProb("a", " b");
                otherDone.countDown();
                return value;
              });
      List<Boolean> waited = new ArrayList<>();
      MODEL.generate(
          QUESTION,
          Sampling.greedy(3),
          piece -> {
            inside.countDown();
            try {
              waited.add(otherDone.await(60, TimeUnit.SECONDS));
            } catch (InterruptedException e) {
              throw new IllegalStateException(e);
            }
          });
      assertThat(waited).isNotEmpty().doesNotContain(false);
      assertThat(logProb.get()).isNegative();
    } finally {
      other.shutdown();
    }
  }

  @Test
  void manyThreadsGetTheNumbersOfOne() throws Exception {
    double expected = MODEL.logProb("The sky is", " blue.");
    String text = MODEL.generate(QUESTION, Sampling.greedy(8)).text();
    ExecutorService pool = Executors.newFixedThreadPool(4);
    try {
      List<Future<Boolean>> all = new ArrayList<>();
      for (int i = 0; i < 8; i++) {
        all.add(
            pool.submit(
                () ->
                    MODEL.logProb("The sky is", " blue.") == expected
                        && MODEL.generate(QUESTION, Sampling.greedy(8)).text().equals(text)));
      }
      for (Future<Boolean> same : all) {
        assertThat(same.get()).isTrue();
      }
    } finally {
      pool.shutdown();
    }
  }

  @Test
  void anInterruptedThreadStopsWithoutAResult() {
    Thread.currentThread().interrupt();
    try {
      assertThatThrownBy(() -> MODEL.generate(QUESTION, Sampling.greedy(3)))
          .isInstanceOf(DpoException.class)
          .isNotInstanceOf(PromptException.class)
          .hasMessageContaining("interrupted");
    } finally {
      assertThat(Thread.interrupted()).isTrue();
    }
  }

  @Test
  void aClosedModelRefusesEveryCall() {
    LanguageModel model = LanguageModel.builder(TINY_CHAT).threads(1).open();
    assertThat(model.logProb("The sky is", " blue.")).isNegative();
    model.close();
    model.close();

    assertThatThrownBy(() -> model.logProb("a", " b"))
        .isInstanceOf(IllegalStateException.class)
        .hasMessage("the model is closed");
    assertThatThrownBy(() -> model.generate("a", Sampling.greedy(1)))
        .isInstanceOf(IllegalStateException.class);
    assertThatThrownBy(() -> model.score(PreferencePair.of("a", " b", " c")))
        .isInstanceOf(IllegalStateException.class);
  }

  @Test
  void closingAModelThatHandsOverAPieceEndsTheGeneration() {
    LanguageModel model = LanguageModel.open(TINY_CHAT);

    assertThatThrownBy(() -> model.generate(QUESTION, Sampling.greedy(40), piece -> model.close()))
        .isInstanceOf(IllegalStateException.class);
  }

  @Test
  void aTokenizerAndATemplateOfOnesOwnReplaceThoseOfTheFolder(@TempDir Path folder)
      throws IOException {
    for (String file : List.of("config.json", "model.safetensors", "tokenizer_config.json")) {
      Files.copy(TINY_CHAT.resolve(file), folder.resolve(file));
    }
    // The folder's end token, and one id for each other byte.
    Tokenizer bytes =
        new Tokenizer() {
          @Override
          public int[] encode(String text, boolean addSpecialTokens) {
            String end = "<|im_end|>";
            boolean ends = text.endsWith(end);
            String rest = ends ? text.substring(0, text.length() - end.length()) : text;
            IntStream ids = IntStream.range(0, rest.length()).map(i -> 10 + rest.charAt(i) % 100);
            return IntStream.concat(ids, ends ? IntStream.of(2) : IntStream.empty()).toArray();
          }

          @Override
          public String decode(int[] ids) {
            return Arrays.toString(ids);
          }
        };
    List<Object> rendered = new ArrayList<>();
    ChatTemplate template =
        (messages, addGenerationPrompt, variables) -> {
          rendered.add(variables.get("eos_token"));
          return messages.get(0).text() + (messages.size() > 1 ? messages.get(1).text() : "");
        };

    try (LanguageModel model =
        LanguageModel.builder(folder).tokenizer(bytes).chatTemplate(template).open()) {
      assertThat(model.tokenLogProbs("ab", "cd")).hasSize(3); // c, d and the end token
      assertThat(model.tokenLogProbs(QUESTION, Message.assistant("4"))).hasSize(1);
      assertThat(rendered).contains("<|im_end|>");
    }
  }

  @Test
  void aJinjaTemplateOfOnesOwnRendersTheMessages() {
    ChatTemplate template =
        ChatTemplate.jinja("{% for m in messages %}<{{ m.role }}>{{ m.content }}{% endfor %}");

    assertThat(template.render(List.of(Message.system("s"), Message.user("u")), false, Map.of()))
        .isEqualTo("<system>s<user>u");
    assertThatThrownBy(() -> ChatTemplate.jinja("{% for %}")).isInstanceOf(DpoException.class);
  }

  @Test
  void aFolderThatIsNoModelIsNamed(@TempDir Path folder) {
    assertThatThrownBy(() -> LanguageModel.open(folder.resolve("nothing")))
        .isInstanceOf(UsageException.class)
        .hasMessageContaining("nothing");
    assertThatThrownBy(() -> LanguageModel.open(folder, folder))
        .isInstanceOf(UsageException.class)
        .hasMessageContaining("config.json");
    assertThatThrownBy(() -> LanguageModel.builder(folder).threads(-1))
        .isInstanceOf(IllegalArgumentException.class);
  }

  @Test
  void samplingOutOfRangeIsRefused() {
    assertThatThrownBy(() -> Sampling.greedy(0)).hasMessageContaining("maxNewTokens");
    assertThatThrownBy(() -> Sampling.random(1, -1)).hasMessageContaining("temperature");
    assertThatThrownBy(() -> Sampling.random(1, Double.POSITIVE_INFINITY))
        .hasMessageContaining("temperature must be a finite number but was Infinity");
    assertThatThrownBy(() -> Sampling.random(1, Double.NaN)).hasMessageContaining("temperature");
    Sampling one = Sampling.greedy(1);
    assertThatThrownBy(() -> one.withTopP(0)).hasMessageContaining("topP");
    assertThatThrownBy(() -> one.withTopK(-1)).hasMessageContaining("topK");
    assertThatThrownBy(() -> one.withMinP(1.5)).hasMessageContaining("minP");
    assertThatThrownBy(() -> one.withRepetitionPenalty(0))
        .hasMessageContaining("repetitionPenalty");
    assertThatThrownBy(() -> one.withStops(List.of("a", ""))).hasMessageContaining("stops");
  }
}
