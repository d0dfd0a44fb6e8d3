package org.dpo4j.encode;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.ArrayList;
import java.util.BitSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.stream.IntStream;
import org.dpo4j.DpoException;
import org.dpo4j.Message;
import org.dpo4j.UsageException;
import org.dpo4j.data.BadRowException;
import org.dpo4j.data.Completion;
import org.dpo4j.data.CompletionRole;
import org.dpo4j.data.Example;
import org.dpo4j.data.RowNumbers;
import org.dpo4j.data.RowOrigin;
import org.dpo4j.demo.InstructionTokenizer;
import org.dpo4j.encode.EncodedRow.Status;
import org.dpo4j.encode.ExampleEncoder.Scoring;
import org.dpo4j.tokenizer.ChatRenderer;
import org.dpo4j.tokenizer.ChatRenderer.MarkedText;
import org.dpo4j.tokenizer.SpecialTokens;
import org.dpo4j.tokenizer.TextTokenizer;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

/**
 * Closes: demonstrations of which other tokens are learned than the user asked for, and rows that
 * are cut where a pack or a mismatched completion needs all of them.
 */
class DemonstrationEncodingTest {
  private static final RowOrigin ORIGIN = new RowOrigin("rows.jsonl", 7, 5);
  private static final SpecialTokens SPECIAL = new SpecialTokens(null, "$", null);
  private static final Scoring WITH_PROMPT = new Scoring(true, false);
  private static final Scoring ASSISTANT = new Scoring(false, true);

  /** A token for two characters, so that one can cross the border of what is generated. */
  private static final class PlacedTokenizer implements TextTokenizer {
    @Override
    public int[] encode(String text, boolean addSpecialTokens) {
      return IntStream.range(0, (text.length() + 1) / 2)
          .map(i -> text.substring(2 * i, Math.min(text.length(), 2 * i + 2)).hashCode() & 0xff)
          .toArray();
    }

    @Override
    public Optional<TextTokenizer.PlacedTokens> encodeWithPlaces(
        String text, boolean addSpecialTokens) {
      int[] ids = encode(text, addSpecialTokens);
      return Optional.of(
          new TextTokenizer.PlacedTokens(
              ids,
              IntStream.range(0, ids.length).map(i -> 2 * i).toArray(),
              IntStream.range(0, ids.length)
                  .map(i -> Math.min(text.length(), 2 * i + 2))
                  .toArray()));
    }

    @Override
    public String decode(int[] ids) {
      return "";
    }
  }

  /** {@code U:content.} and {@code A:content.}; what the assistant says is marked. */
  private static final class MarkingTemplate implements ChatRenderer {
    @Override
    public String render(
        List<Message> messages, boolean header, Map<String, @Nullable Object> variables) {
      return marked(messages).text() + (header ? "A:" : "");
    }

    @Override
    public MarkedText renderMarked(
        List<Message> messages, Map<String, @Nullable Object> variables) {
      return marked(messages);
    }

    @Override
    public boolean marksGenerated() {
      return true;
    }

    private static MarkedText marked(List<Message> messages) {
      StringBuilder text = new StringBuilder();
      List<MarkedText.Span> generated = new ArrayList<>();
      for (Message message : messages) {
        boolean assistant = message.role().equals("assistant");
        text.append(assistant ? "A:" : "U:");
        int start = text.length();
        text.append(message.text());
        if (assistant) {
          generated.add(new MarkedText.Span(start, text.length()));
        }
        text.append('.');
      }
      return new MarkedText(text.toString(), generated);
    }
  }

  private static ExampleEncoder bytes(int maxLength) {
    return new ExampleEncoder(
        new InstructionTokenizer(), null, SPECIAL, new EncodingLimits(maxLength, 99, 260));
  }

  private static ExampleEncoder placed(ChatRenderer template, int maxLength) {
    return new ExampleEncoder(
        new PlacedTokenizer(), template, SPECIAL, new EncodingLimits(maxLength, 99, 260));
  }

  private static Example.Text text(String prompt, String completion) {
    return new Example.Text(
        ORIGIN,
        prompt,
        List.of(new Completion<>(CompletionRole.CHOSEN, completion)),
        RowNumbers.NONE);
  }

  private static Example.Chat chat(List<Message> prompt, Message... completion) {
    return new Example.Chat(
        ORIGIN,
        prompt,
        List.of(new Completion<>(CompletionRole.CHOSEN, List.of(completion))),
        Map.of(),
        RowNumbers.NONE);
  }

  private static Example.Ids ids(List<Integer> prompt, List<Integer> completion) {
    return new Example.Ids(
        ORIGIN,
        prompt,
        List.of(new Completion<>(CompletionRole.CHOSEN, completion)),
        RowNumbers.NONE);
  }

  @Test
  void aPromptIsLearnedOnlyWhereItIsAskedFor() {
    EncodedExample plain = bytes(0).encode(text("ab", "c")).usable().orElseThrow();
    assertThat(plain.promptIds()).containsExactly('a', 'b');
    assertThat(plain.chosenIds()).containsExactly('c', '$');
    EncodedExample learned =
        bytes(0).scoring(WITH_PROMPT).encode(text("ab", "c")).usable().orElseThrow();
    assertThat(learned.promptIds()).isEmpty();
    assertThat(learned.chosenIds()).containsExactly('a', 'b', 'c', '$');
    assertThat(learned.scoredTokens()).isEqualTo(3);
  }

  /**
   * The whole is {@code U: ab .A :c .U :d e. A: fg .}, and the prompt with its header {@code U: ab
   * .A :c .A :}, which have four tokens in common.
   */
  @Test
  void onlyWhatTheAssistantSaysIsLearned() {
    ExampleEncoder encoder = placed(new MarkingTemplate(), 0).scoring(ASSISTANT);
    Example.Chat conversation =
        chat(
            List.of(Message.user("ab"), Message.assistant("c")),
            Message.user("de"),
            Message.assistant("fg"));
    EncodedExample found = encoder.encode(conversation).usable().orElseThrow();
    assertThat(found.promptIds()).hasSize(4);
    assertThat(found.chosenIds()).hasSize(6);
    assertThat(places(found)).containsExactly(0, 1, 2, 3, 5);
    assertThat(found.scoredTokens()).isOne();
  }

  /** A token is learned if one of its characters is generated. */
  @Test
  void aTokenAcrossTheBorderIsLearned() {
    ExampleEncoder encoder = placed(new MarkingTemplate(), 0).scoring(ASSISTANT);
    // U: a. A: bc d.   and the prompt with its header: U: a. A:
    EncodedExample even =
        encoder
            .encode(chat(List.of(Message.user("a")), Message.assistant("bcd")))
            .usable()
            .orElseThrow();
    assertThat(even.chosenIds()).hasSize(2);
    assertThat(places(even)).isEmpty();
    // U: ab .A :c d.   and the prompt with its header: U: ab .A :
    EncodedExample odd =
        encoder
            .encode(chat(List.of(Message.user("ab")), Message.assistant("cd")))
            .usable()
            .orElseThrow();
    assertThat(odd.chosenIds()).hasSize(2);
    assertThat(places(odd)).isEmpty();
  }

  @Test
  void aWholeConversationWithoutAPromptIsLearnedInTheAssistantsTurns() {
    ExampleEncoder encoder = placed(new MarkingTemplate(), 0).scoring(ASSISTANT);
    // U: a. A: bc .
    EncodedExample found =
        encoder
            .encode(chat(List.of(), Message.user("a"), Message.assistant("bc")))
            .usable()
            .orElseThrow();
    assertThat(found.promptIds()).isEmpty();
    assertThat(places(found)).containsExactly(0, 1, 2, 4);
    assertThat(found.scoredTokens()).isOne();
  }

  @Test
  void whatCannotTellTheAssistantsWordsIsRefused() {
    Example.Chat conversation = chat(List.of(Message.user("a")), Message.assistant("b"));
    assertThatThrownBy(() -> bytes(0).scoring(ASSISTANT).encode(text("a", "b")))
        .isInstanceOf(UsageException.class)
        .hasMessageContaining("[rows.jsonl:7] is plain text");
    assertThatThrownBy(() -> bytes(0).scoring(ASSISTANT).encode(ids(List.of(1), List.of(2))))
        .isInstanceOf(UsageException.class)
        .hasMessageContaining("[rows.jsonl:7] is token ids");
    ChatRenderer marksNothing =
        (messages, header, variables) -> new MarkingTemplate().render(messages, header, variables);
    assertThatThrownBy(() -> placed(marksNothing, 0).scoring(ASSISTANT))
        .isInstanceOf(UsageException.class)
        .hasMessageContaining("has no tag generation");
    assertThat(placed(marksNothing, 0).scoring(WITH_PROMPT).encode(conversation).status())
        .isEqualTo(Status.KEPT);
    assertThatThrownBy(
            () ->
                placed(new MarkingTemplate(), 0)
                    .scoring(ASSISTANT)
                    .encode(chat(List.of(Message.user("a")), Message.user("b"))))
        .isInstanceOf(BadRowException.class)
        .hasMessageContaining("no turn that the chat template marks as generated");
    ExampleEncoder withoutPlaces =
        new ExampleEncoder(
            new InstructionTokenizer(),
            new MarkingTemplate(),
            SPECIAL,
            new EncodingLimits(0, 99, 260));
    assertThatThrownBy(() -> withoutPlaces.scoring(ASSISTANT).encode(conversation))
        .isInstanceOf(DpoException.class)
        .isNotInstanceOf(BadRowException.class)
        .hasMessageContaining("knows the places of its tokens");
  }

  /** All that the assistant says is in the prompt. */
  @Test
  void aCompletionWithoutAWordOfTheAssistantIsABadRow() {
    assertThatThrownBy(
            () ->
                placed(new MarkingTemplate(), 0)
                    .scoring(ASSISTANT)
                    .encode(
                        chat(
                            List.of(Message.user("a"), Message.assistant("b")), Message.user("c"))))
        .isInstanceOf(BadRowException.class)
        .hasMessage(
            "[rows.jsonl:7] nothing to score: no token of the completion is one that"
                + " assistant_only_loss learns");
  }

  @Test
  void aTokenThatNothingPredictsIsNothingToLearn() {
    assertThatThrownBy(() -> bytes(0).encode(ids(List.of(), List.of(1))))
        .isInstanceOf(BadRowException.class)
        .hasMessageStartingWith("[rows.jsonl:7] nothing to score: the prompt has no token");
    assertThat(bytes(0).encode(ids(List.of(), List.of(1, 2))).status()).isEqualTo(Status.KEPT);
    assertThat(bytes(0).encode(ids(List.of(9), List.of(1))).status()).isEqualTo(Status.KEPT);
    assertThatThrownBy(() -> bytes(0).encode(ids(List.of(9), List.of())))
        .hasMessageStartingWith("[rows.jsonl:7] empty completion: ");
  }

  @Test
  void aCutThatLeavesNothingToLearnDropsTheRow() {
    // "U:a." of the user's and "A:bc." of the assistant's turn, two characters a token.
    Example.Chat conversation = chat(List.of(), Message.user("a"), Message.assistant("bc"));
    ExampleEncoder three = placed(new MarkingTemplate(), 3).scoring(ASSISTANT);
    EncodedRow dropped = three.encode(conversation);
    assertThat(dropped.status()).isEqualTo(Status.DROPPED);
    assertThat(dropped.reason()).isEqualTo(ExampleEncoder.NOTHING_LEFT);
    EncodedRow cut = placed(new MarkingTemplate(), 4).scoring(ASSISTANT).encode(conversation);
    assertThat(cut.status()).isEqualTo(Status.CUT);
    assertThat(cut.usable().orElseThrow().scoredTokens()).isOne();
  }

  @Test
  void anEncoderForMismatchedCompletionsCountsTheCutAndLeavesIt() {
    ExampleEncoder whole = bytes(3).keepingWhole();
    EncodedRow row = whole.encode(ids(List.of(1), List.of(2, 3, 4)));
    assertThat(row.status()).isEqualTo(Status.CUT);
    assertThat(row.reason()).isEqualTo(ExampleEncoder.CUT);
    assertThat(row.usable().orElseThrow().chosenIds()).containsExactly(2, 3, 4);
    assertThat(whole.encode(ids(List.of(1, 2, 3), List.of(4))).status()).isEqualTo(Status.DROPPED);
    assertThat(bytes(3).encode(ids(List.of(1), List.of(2, 3))).status()).isEqualTo(Status.KEPT);
  }

  @Test
  void anEncoderForPacksDropsAndCutsNothing() {
    ExampleEncoder all = bytes(3).keepingAll();
    for (Example example :
        List.of(ids(List.of(1), List.of(2, 3, 4)), ids(List.of(1, 2, 3), List.of(4)))) {
      EncodedRow row = all.encode(example);
      assertThat(row.status()).isEqualTo(Status.KEPT);
      assertThat(row.usable().orElseThrow().tokens()).isEqualTo(4);
    }
  }

  @Test
  void anEncoderKeepsItsPurposeAndItsLimitsWhenItIsAskedForOtherTokens() {
    ExampleEncoder encoder = bytes(3).keepingWhole().scoring(WITH_PROMPT);
    EncodedRow row = encoder.encode(text("ab", "cd"));
    assertThat(row.status()).isEqualTo(Status.CUT);
    assertThat(row.usable().orElseThrow().chosenIds()).containsExactly('a', 'b', 'c', 'd', '$');
    assertThat(encoder.limits()).isEqualTo(new EncodingLimits(3, 99, 260));
    assertThat(bytes(3).scoring(WITH_PROMPT).keepingAll().encode(text("ab", "cd")).status())
        .isEqualTo(Status.KEPT);
  }

  @Test
  void theBeginningOfASequenceIsOneTokenOrNone() {
    EncodingLimits limits = new EncodingLimits(0, 99, 260);
    InstructionTokenizer tokenizer = new InstructionTokenizer();
    assertThat(bytes(0).bos()).isEqualTo(-1);
    assertThat(new ExampleEncoder(tokenizer, null, new SpecialTokens("^", "$", null), limits).bos())
        .isEqualTo('^');
    assertThat(
            new ExampleEncoder(tokenizer, null, new SpecialTokens("<s>", "$", null), limits).bos())
        .isEqualTo(-1);
  }

  @Test
  void theWeightOfARowIsThatOfItsExample() {
    Example.Ids weighted =
        new Example.Ids(
            ORIGIN,
            List.of(1),
            List.of(new Completion<>(CompletionRole.REJECTED, List.of(2))),
            RowNumbers.ofWeight(2.5));
    EncodedRow row = bytes(0).encode(weighted);
    assertThat(row.numbers().weight()).hasValue(2.5);
    assertThat(row.usable().orElseThrow().weight()).isEqualTo(2.5);
    assertThat(bytes(0).encode(ids(List.of(1), List.of(2))).numbers().weight()).isEmpty();
  }

  private static List<Integer> places(EncodedExample example) {
    BitSet unscored = Objects.requireNonNull(example.completions().get(0).unscored());
    return unscored.stream().boxed().toList();
  }
}
