package org.dpo4j.encode;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;
import org.dpo4j.DpoException;
import org.dpo4j.Message;
import org.dpo4j.data.BadRowException;
import org.dpo4j.data.Example;
import org.dpo4j.data.RowOrigin;
import org.dpo4j.demo.InstructionTokenizer;
import org.dpo4j.encode.EncodedRow.Status;
import org.dpo4j.tokenizer.ChatRenderer;
import org.dpo4j.tokenizer.SpecialTokens;
import org.dpo4j.tokenizer.TextTokenizer;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

/**
 * Closes silent fates: rows that are cut, dropped or refused without their reason, and BOS twice.
 */
class ExampleEncoderTest {
  private static final RowOrigin ORIGIN = new RowOrigin("pairs.jsonl", 7, 5);
  private static final SpecialTokens NONE = new SpecialTokens(null, null, null);

  @Test
  void aPromptOfMaxLengthIsDroppedAndOneShorterIsKept() {
    ExampleEncoder encoder = ids(4);
    EncodedRow full = encoder.encode(pair(List.of(1, 2, 3, 4), List.of(5), List.of(6)));
    assertThat(full.status()).isEqualTo(Status.DROPPED).hasToString("dropped");
    assertThat(full.reason()).isEqualTo(ExampleEncoder.PROMPT_TOO_LONG);
    assertThat(full.usable()).isEmpty();
    EncodedRow fits = encoder.encode(pair(List.of(1, 2, 3), List.of(5), List.of(6)));
    assertThat(fits.status()).isEqualTo(Status.KEPT);
    assertThat(fits.reason()).isEmpty();
  }

  @Test
  void theLongerSideIsCutAloneAndGetsNoEos() {
    EncodedRow row = ids(4).encode(pair(List.of(1, 2), List.of(5, 6, 7), List.of(8)));
    assertThat(row.status()).isEqualTo(Status.CUT);
    EncodedExample pair = row.usable().orElseThrow();
    assertThat(pair.chosenIds()).containsExactly(5, 6);
    assertThat(pair.rejectedIds()).containsExactly(8);
  }

  @Test
  void sidesThatTheCutMadeTheSameAreDropped() {
    EncodedRow row = ids(4).encode(pair(List.of(1, 2), List.of(5, 6, 7), List.of(5, 6)));
    assertThat(row.status()).isEqualTo(Status.DROPPED);
    assertThat(row.reason()).isEqualTo(ExampleEncoder.SAME_AFTER_CUT);
  }

  @Test
  void withoutTruncationARowBeyondThePositionsIsBad() {
    List<Integer> long9 = IntStream.range(0, 9).boxed().toList();
    assertThat(ids(0).encode(pair(List.of(1), long9, List.of(2))).status())
        .isEqualTo(Status.KEPT); // 10 tokens, 10 positions
    assertThatThrownBy(() -> ids(0).encode(pair(List.of(1, 1), long9, List.of(2))))
        .isInstanceOf(BadRowException.class)
        .hasMessage(
            "[pairs.jsonl:7] longer than the model's positions: the row has 11 tokens,"
                + " the model 10 positions; set max_length to cut");
  }

  @Test
  void anIdOfTheRowBeyondTheVocabularyIsABadRow() {
    assertThatThrownBy(() -> ids(0).encode(pair(List.of(1), List.of(260), List.of(2))))
        .isInstanceOf(BadRowException.class)
        .hasMessageContaining("ids must be from 0 to 259 but one is 260");
  }

  @Test
  void aNegativeIdIsABadRowAndTheLastOfTheVocabularyIsNot() {
    assertThatThrownBy(() -> ids(0).encode(pair(List.of(1), List.of(2), List.of(-1))))
        .isInstanceOf(BadRowException.class)
        .hasMessageContaining("ids must be from 0 to 259 but one is -1");
    ExampleEncoder small =
        new ExampleEncoder(new InstructionTokenizer(), null, NONE, new EncodingLimits(0, 10, 100));
    assertThat(small.encode(pair(List.of(0), List.of(99), List.of(2))).status())
        .isEqualTo(Status.KEPT);
  }

  @Test
  void aSideWithoutIdsIsABadRow() {
    assertThatThrownBy(() -> ids(0).encode(pair(List.of(1), List.of(), List.of(2))))
        .isInstanceOf(BadRowException.class)
        .hasMessage("[pairs.jsonl:7] empty chosen: no token is left after encoding");
    assertThatThrownBy(() -> ids(0).encode(pair(List.of(1), List.of(2), List.of())))
        .isInstanceOf(BadRowException.class)
        .hasMessage("[pairs.jsonl:7] empty rejected: no token is left after encoding");
  }

  /** The first token of a sequence is predicted by none, so a completion of one is not scored. */
  @Test
  void withoutAPromptEachCompletionNeedsTwoIds() {
    for (List<List<Integer>> sides :
        List.of(
            List.of(List.of(1), List.of(2, 3)),
            List.of(List.of(2, 3), List.of(1)),
            List.of(List.of(1), List.of(2)))) {
      assertThatThrownBy(() -> ids(0).encode(pair(List.of(), sides.get(0), sides.get(1))))
          .isInstanceOf(BadRowException.class)
          .hasMessageStartingWith("[pairs.jsonl:7] nothing to score: ");
    }
    assertThat(ids(0).encode(pair(List.of(), List.of(1, 2), List.of(3, 4))).status())
        .isEqualTo(Status.KEPT);
    assertThat(ids(0).encode(pair(List.of(5), List.of(1), List.of(3))).status())
        .isEqualTo(Status.KEPT);
  }

  @Test
  void anIdOfTheTokenizerBeyondTheVocabularyStopsTheRun() {
    ExampleEncoder encoder =
        new ExampleEncoder(
            LlamaFixture.TOKENIZER,
            null,
            SpecialTokens.fromModelFolder(LlamaFixture.FOLDER),
            new EncodingLimits(0, 512, 100));
    assertThatThrownBy(() -> encoder.encode(text("What is it", "This", "That")))
        .isInstanceOf(DpoException.class)
        .isNotInstanceOf(BadRowException.class)
        .hasMessageContaining("vocabulary of 100 but \"")
        .hasMessageContaining("belong to another model");
  }

  @Test
  void textNeedsAnEosThatIsOneToken() {
    assertThatThrownBy(() -> ids(0).encode(text("p", "w", "l")))
        .isInstanceOf(DpoException.class)
        .hasMessageContaining("the model folder names none");
    ExampleEncoder twoTokens = encoder(new InstructionTokenizer(), null, "</s>");
    assertThatThrownBy(() -> twoTokens.encode(text("p", "w", "l")))
        .hasMessageContaining("\"</s>\" is not one token");
  }

  @Test
  void sidesThatDifferByEosOnlyAreIdentical() {
    assertThatThrownBy(() -> LlamaFixture.encoder(0).encode(text("p", "Yes", "Yes<|im_end|>")))
        .isInstanceOf(BadRowException.class)
        .hasMessageContaining("identical chosen and rejected");
  }

  @Test
  void theTokenizersBosComesOnceForTextAndNeverForTemplates() {
    TextTokenizer withBos = new BosTokenizer();
    EncodedExample plain =
        encoder(withBos, null, "\1").encode(text("p", "w", "l")).usable().orElseThrow();
    assertThat(plain.promptIds()).containsExactly(0, 'p');
    assertThat(plain.chosenIds()).containsExactly('w', 1);

    ChatRenderer printsBos = (messages, header, variables) -> "\0" + contents(messages);
    EncodedExample chat =
        encoder(withBos, printsBos, "\1").encode(chat("p", "w", "l")).usable().orElseThrow();
    assertThat(chat.promptIds()).containsExactly(0, 'p');
    assertThat(chat.chosenIds()).containsExactly('w');
  }

  @Test
  void theHeaderThatTheTemplateDropsBeforeACompletionIsLeftOutAndReported() {
    ChatRenderer template =
        (messages, header, variables) -> contents(messages) + (header ? ">x" : ">yz");
    EncodedRow row =
        encoder(new InstructionTokenizer(), template, "\1")
            .encode(
                new Example.Chat(
                    ORIGIN,
                    List.of(Message.of("user", "p")),
                    List.of(Message.of("assistant", ">w")),
                    List.of(Message.of("assistant", ">l")),
                    Map.of()));
    assertThat(row.usable().orElseThrow().promptIds()).containsExactly('p', '>');
    assertThat(row.unmatchedPromptIds()).containsExactly((int) 'x');
    assertThat(row.texts()).isEqualTo(new EncodedRow.RenderedTexts("p>", List.of("w>yz", "l>yz")));
  }

  @Test
  void textsShowTheEosThatWasAdded() {
    EncodedRow row = LlamaFixture.encoder(0).encode(text("p", "w", "l<|im_end|>"));
    assertThat(row.texts())
        .isEqualTo(new EncodedRow.RenderedTexts("p", List.of("w<|im_end|>", "l<|im_end|>")));
  }

  @Test
  void messagesWithoutATemplateStopTheRun() {
    assertThatThrownBy(() -> ids(0).encode(chat("p", "w", "l")))
        .isInstanceOf(DpoException.class)
        .isNotInstanceOf(BadRowException.class)
        .hasMessageContaining("need a chat template");
  }

  @Test
  void messagesThatTheTemplateRefusesAreABadRow() {
    ChatRenderer refuses =
        (messages, header, variables) -> {
          throw new DpoException("roles must alternate");
        };
    ExampleEncoder encoder = encoder(new InstructionTokenizer(), refuses, "\1");
    assertThatThrownBy(() -> encoder.encode(chat("p", "w", "l")))
        .isInstanceOf(BadRowException.class)
        .hasMessage("[pairs.jsonl:7] refused by the chat template: roles must alternate");
  }

  @Test
  void aTemplateThatRendersNoCompletionLeavesABadRow() {
    ChatRenderer promptOnly = (messages, header, variables) -> contents(messages.subList(0, 1));
    ExampleEncoder encoder = encoder(new InstructionTokenizer(), promptOnly, "\1");
    assertThatThrownBy(() -> encoder.encode(chat("p", "w", "l")))
        .isInstanceOf(BadRowException.class)
        .hasMessageContaining("empty chosen");
    ChatRenderer headerOnly =
        (messages, header, variables) ->
            contents(messages.subList(0, 1)) + (header ? "<answer>" : "");
    assertThatThrownBy(
            () -> encoder(new InstructionTokenizer(), headerOnly, "\1").encode(chat("p", "w", "l")))
        .isInstanceOf(BadRowException.class)
        .hasMessageContaining("empty chosen");
  }

  @Test
  void aTemplateThatBeginsAnotherWayWithAnAnswerLeavesNoPrompt() {
    ChatRenderer template =
        (messages, header, variables) -> (header ? "?" : "!") + contents(messages);
    EncodedRow row =
        encoder(new InstructionTokenizer(), template, "\1").encode(chat("p", "w", "l"));
    EncodedExample pair = row.usable().orElseThrow();
    assertThat(pair.promptIds()).isEmpty();
    assertThat(pair.chosenIds()).containsExactly('!', 'p', 'w');
    assertThat(row.unmatchedPromptIds()).containsExactly((int) '?', (int) 'p');
  }

  /** Both faces begin with one half, which is no character. */
  @Test
  void theTextOfAPromptEndsInAWholeCharacter() {
    ChatRenderer template =
        (messages, header, variables) ->
            "p" + (header ? "\uD83D\uDE00" : "\uD83D\uDE01" + contents(messages));
    EncodedRow row =
        encoder(new InstructionTokenizer(), template, "\1").encode(chat("p", "w", "l"));
    assertThat(row.texts())
        .isEqualTo(new EncodedRow.RenderedTexts("p", List.of("\uD83D\uDE01pw", "\uD83D\uDE01pl")));
  }

  /** Some tokenizers put a space before every text, even one without a character. */
  @Test
  void withoutAPromptNoTokenIsOne() {
    TextTokenizer spaces =
        new TextTokenizer() {
          private final InstructionTokenizer bytes = new InstructionTokenizer();

          @Override
          public int[] encode(String text, boolean addSpecialTokens) {
            return bytes.encode(" " + text, false);
          }

          @Override
          public String decode(int[] ids) {
            return bytes.decode(ids);
          }
        };
    ChatRenderer template = (messages, header, variables) -> contents(messages);
    Example.Chat conversations =
        new Example.Chat(
            ORIGIN,
            List.of(),
            List.of(Message.user("p"), Message.assistant("w")),
            List.of(Message.user("p"), Message.assistant("l")),
            Map.of());
    EncodedExample pair =
        encoder(spaces, template, "\1").encode(conversations).usable().orElseThrow();
    assertThat(pair.promptIds()).isEmpty();
    assertThat(pair.chosenIds()).containsExactly(' ', 'p', 'w');
  }

  @Test
  void idsAreShownAsTheTextThatTheyStandFor() {
    EncodedRow row =
        ids(0).encode(pair(List.of((int) 'p'), List.of((int) 'w'), List.of((int) 'l')));
    assertThat(row.texts()).isEqualTo(new EncodedRow.RenderedTexts("p", List.of("w", "l")));
  }

  private static ExampleEncoder ids(int maxLength) {
    return new ExampleEncoder(
        new InstructionTokenizer(), null, NONE, new EncodingLimits(maxLength, 10, 260));
  }

  private static ExampleEncoder encoder(
      TextTokenizer tokenizer, @Nullable ChatRenderer template, String eos) {
    return new ExampleEncoder(
        tokenizer, template, new SpecialTokens(null, eos, null), new EncodingLimits(0, 99, 260));
  }

  private static Example pair(List<Integer> prompt, List<Integer> chosen, List<Integer> rejected) {
    return new Example.Ids(ORIGIN, prompt, chosen, rejected);
  }

  private static Example text(String prompt, String chosen, String rejected) {
    return new Example.Text(ORIGIN, prompt, chosen, rejected);
  }

  private static Example chat(String prompt, String chosen, String rejected) {
    return new Example.Chat(
        ORIGIN,
        List.of(Message.of("user", prompt)),
        List.of(Message.of("assistant", chosen)),
        List.of(Message.of("assistant", rejected)),
        Map.of());
  }

  private static String contents(List<Message> messages) {
    StringBuilder text = new StringBuilder();
    messages.forEach(message -> text.append(message.content()));
    return text.toString();
  }

  /** Bytes, and id 0 in front where the tokenizer is asked for its own special tokens. */
  private static final class BosTokenizer implements TextTokenizer {
    private final InstructionTokenizer bytes = new InstructionTokenizer();

    @Override
    public int[] encode(String text, boolean addSpecialTokens) {
      return bytes.encode(addSpecialTokens ? "\0" + text : text, false);
    }

    @Override
    public String decode(int[] ids) {
      return bytes.decode(ids);
    }
  }
}
