package org.dpo4j.encode;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import java.util.Map;
import org.dpo4j.ExampleKind;
import org.dpo4j.Message;
import org.dpo4j.data.Example;
import org.dpo4j.data.RowOrigin;
import org.dpo4j.demo.InstructionTokenizer;
import org.dpo4j.tokenizer.ChatRenderer;
import org.dpo4j.tokenizer.SpecialTokens;
import org.junit.jupiter.api.Test;

/**
 * Closes the known traps of tokens in silence: TRL trains on such rows, and so does this, but it
 * says so. A token is a byte here; {@code ^} is BOS, {@code $} is EOS.
 */
class TokenizationWarningsTest {
  private static final RowOrigin ORIGIN = new RowOrigin("pairs.jsonl", 1, 1);

  @Test
  void aRowThatEndsOnceIsNoSurprise() {
    assertThat(text("^p", "w", "l").warnings()).isEmpty();
    assertThat(ids("^p", "w$", "l$").warnings()).isEmpty();
    assertThat(chat("^", "$").warnings()).isEmpty();
  }

  @Test
  void bosTwiceIsReported() {
    assertThat(text("^^p", "w", "l").warnings()).containsExactly(TokenizationWarnings.TWO_BOS);
    assertThat(ids("", "^^w$", "l$").warnings())
        .containsExactlyInAnyOrder(TokenizationWarnings.TWO_BOS, RowDoubts.EMPTY_PROMPT);
    assertThat(chat("^^", "$").warnings()).containsExactly(TokenizationWarnings.TWO_BOS);
    assertThat(chat("^x^", "$").warnings()).isEmpty();
    assertThat(text("x^p", "w", "l").warnings()).isEmpty();
  }

  @Test
  void aTemplateThatRendersNoEosIsReported() {
    assertThat(chat("", "").warnings()).containsExactly(TokenizationWarnings.NO_EOS);
    assertThat(chat("", "$ and more").warnings()).containsExactly(TokenizationWarnings.NO_EOS);
    assertThat(ids("p", "w$", "l").warnings()).containsExactly(TokenizationWarnings.NO_EOS);
  }

  @Test
  void anyTokenThatEndsAnAnswerOfTheModelIsAnEnd() {
    SpecialTokens special = new SpecialTokens(Map.of("eos_token", "$"), List.of((int) '%'));
    assertThat(encoder(special, 0, template("", "%")).encode(messages()).warnings()).isEmpty();
    assertThat(encoder(special, 0, template("", "!")).encode(messages()).warnings())
        .containsExactly(TokenizationWarnings.NO_EOS);
  }

  @Test
  void withoutAnyKnownEndNothingIsSaidOfEnds() {
    SpecialTokens none = new SpecialTokens(null, null, null);
    assertThat(encoder(none, 0, template("", "")).encode(messages()).warnings()).isEmpty();
  }

  @Test
  void aLineBreakAfterEosIsScoredAndReported() {
    assertThat(ids("p", "w$\n", "l$").warnings()).containsExactly(TokenizationWarnings.AFTER_EOS);
  }

  /** Longer tails are not decoded: it would be slow, and no template writes them. */
  @Test
  void eightCharactersOfWhiteSpaceAreATailAndNineAreNot() {
    assertThat(ids("p", "w$" + " ".repeat(8), "l$").warnings())
        .containsExactly(TokenizationWarnings.AFTER_EOS);
    assertThat(ids("p", "w$" + " ".repeat(9), "l$").warnings())
        .containsExactly(TokenizationWarnings.NO_EOS);
  }

  /** No row can change it, so that a warning for each would hide those that count. */
  @Test
  void aLineBreakThatTheTemplateWritesAfterEosIsANoteAndNoWarning() {
    assertThat(chat("", "$\n").warnings()).isEmpty();
    assertThat(chat("", "$\n").notes()).containsExactly(TokenizationWarnings.TEMPLATE_AFTER_EOS);
    EncodingCounts counts = new EncodingCounts(ExampleKind.PAIRS);
    counts.count(chat("", "$\n"));
    counts.count(chat("", "$\n"));
    assertThat(counts.warnings()).isEmpty();
    assertThat(counts.notes())
        .isEqualTo(
            Map.of(TokenizationWarnings.TEMPLATE_AFTER_EOS, new EncodingCounts.Tally(2, ORIGIN)));
    EncodedExample pair = chat("", "$\n").usable().orElseThrow();
    assertThat(pair.chosenIds()).containsExactly('w', '$', '\n');
  }

  @Test
  void eosTwiceIsReported() {
    assertThat(chat("", "$$").warnings()).containsExactly(TokenizationWarnings.TWO_EOS);
    assertThat(text("p", "w$\n", "l").warnings())
        .containsExactly(TokenizationWarnings.TWO_EOS); // "w$\n$"
    assertThat(chat("", "$\n$\n").warnings()).containsExactly(TokenizationWarnings.TWO_EOS);
    assertThat(ids("p", "a$b$", "l$").warnings()).isEmpty(); // two turns
    assertThat(ids("p", "$$", "l$").warnings()).containsExactly(TokenizationWarnings.TWO_EOS);
    assertThat(ids("p", "$", "l$").warnings()).isEmpty();
  }

  @Test
  void anEosThatOnlyTheCutTookIsPartOfTheCut() {
    SpecialTokens special = new SpecialTokens("^", "$", null);
    EncodedRow row = encoder(special, 3, null).encode(new Example.Text(ORIGIN, "p", "www", "l"));
    assertThat(row.status()).isEqualTo(EncodedRow.Status.CUT);
    assertThat(row.usable().orElseThrow().chosenIds()).containsExactly('w', 'w');
    assertThat(row.usable().orElseThrow().rejectedIds()).containsExactly('l', '$');
    assertThat(row.warnings()).isEmpty();
  }

  @Test
  void padThatIsEosIsScoredLikeAnyToken() {
    SpecialTokens special = new SpecialTokens(null, "$", "$");
    EncodedExample pair =
        encoder(special, 0, null)
            .encode(new Example.Text(ORIGIN, "p$", "w$w", "l"))
            .usable()
            .orElseThrow();
    assertThat(pair.promptIds()).containsExactly('p', '$');
    assertThat(pair.chosenIds()).containsExactly('w', '$', 'w', '$');
  }

  @Test
  void warningsAreCountedWithTheirFirstRowWhereTheRowIsUsed() {
    EncodingCounts counts = new EncodingCounts(ExampleKind.PAIRS);
    counts.count(ids("p", "w", "l"));
    counts.count(ids("p", "w$", "l"));
    SpecialTokens special = new SpecialTokens("^", "$", null);
    counts.count(encoder(special, 1, null).encode(pair("p", "w", "l"))); // dropped
    assertThat(counts.warnings())
        .isEqualTo(Map.of(TokenizationWarnings.NO_EOS, new EncodingCounts.Tally(2, ORIGIN)));
  }

  @Test
  void aPromptWithoutATokenOrWithBosAloneIsReported() {
    assertThat(ids("", "ww$", "ll$").warnings()).containsExactly(RowDoubts.EMPTY_PROMPT);
    assertThat(ids("^", "w$", "l$").warnings()).containsExactly(RowDoubts.EMPTY_PROMPT);
    assertThat(text(" ", "w", "l").warnings()).containsExactly(RowDoubts.EMPTY_PROMPT);
  }

  private static EncodedRow text(String prompt, String chosen, String rejected) {
    return encoder(new SpecialTokens("^", "$", null), 0, null)
        .encode(new Example.Text(ORIGIN, prompt, chosen, rejected));
  }

  private static EncodedRow ids(String prompt, String chosen, String rejected) {
    return encoder(new SpecialTokens("^", "$", null), 0, null)
        .encode(pair(prompt, chosen, rejected));
  }

  private static Example pair(String prompt, String chosen, String rejected) {
    return new Example.Ids(ORIGIN, ids(prompt), ids(chosen), ids(rejected));
  }

  private static List<Integer> ids(String text) {
    return text.chars().boxed().toList();
  }

  private static EncodedRow chat(String start, String end) {
    return encoder(new SpecialTokens("^", "$", null), 0, template(start, end)).encode(messages());
  }

  private static Example messages() {
    return new Example.Chat(
        ORIGIN,
        List.of(Message.of("user", "p")),
        List.of(Message.of("assistant", "w")),
        List.of(Message.of("assistant", "l")),
        Map.of());
  }

  private static ChatRenderer template(String start, String end) {
    return (messages, header, variables) -> {
      StringBuilder text = new StringBuilder(start);
      messages.forEach(message -> text.append(message.content()));
      return text.append(header ? "" : end).toString();
    };
  }

  private static ExampleEncoder encoder(
      SpecialTokens special, int maxLength, @org.jspecify.annotations.Nullable ChatRenderer chat) {
    return new ExampleEncoder(
        new InstructionTokenizer(), chat, special, new EncodingLimits(maxLength, 99, 260));
  }
}
