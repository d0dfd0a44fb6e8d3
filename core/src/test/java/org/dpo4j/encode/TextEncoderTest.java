package org.dpo4j.encode;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.List;
import java.util.Map;
import org.dpo4j.DpoException;
import org.dpo4j.Message;
import org.dpo4j.data.Example;
import org.dpo4j.data.RowOrigin;
import org.dpo4j.demo.InstructionTokenizer;
import org.dpo4j.tokenizer.ChatRenderer;
import org.dpo4j.tokenizer.SpecialTokens;
import org.dpo4j.tokenizer.TextTokenizer;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

/**
 * Closes: a prompt that is scored or continued with other ids than those it was trained with. A
 * token is a byte here; {@code ^} is BOS, {@code $} is EOS.
 */
class TextEncoderTest {
  private static final RowOrigin ORIGIN = new RowOrigin("pairs.jsonl", 1, 1);
  private static final SpecialTokens SPECIAL = new SpecialTokens("^", "$", null);
  private static final Message QUESTION = Message.user("Why?");
  private static final Message ANSWER = Message.assistant("So.");

  /** Puts BOS before a text, as tokenizers do for texts and not for rendered conversations. */
  private static final TextTokenizer TOKENIZER =
      new TextTokenizer() {
        private final InstructionTokenizer bytes = new InstructionTokenizer();

        @Override
        public int[] encode(String text, boolean addSpecialTokens) {
          return bytes.encode(addSpecialTokens ? "^" + text : text, false);
        }

        @Override
        public String decode(int[] ids) {
          return bytes.decode(ids);
        }
      };

  /** {@code <role>content$} for each turn; the header of an answer has a thought of its own. */
  private static final ChatRenderer TEMPLATE =
      (messages, header, variables) -> {
        StringBuilder text = new StringBuilder();
        messages.forEach(
            turn -> text.append("<%s>%s$".formatted(turn.role(), String.valueOf(turn.content()))));
        return text.append(header ? "<assistant><think>" : "").toString();
      };

  private static TextEncoder encoder(@Nullable ChatRenderer template) {
    return new TextEncoder(TOKENIZER, template, SPECIAL);
  }

  @Test
  void aTextToBeContinuedBeginsWithBosAndAConversationWithWhatTheTemplateWrites() {
    assertThat(shown(encoder(null).prompt("Why?"))).isEqualTo("^Why?");
    assertThat(shown(encoder(TEMPLATE).prompt(List.of(QUESTION))))
        .isEqualTo("<user>Why?$<assistant><think>");
  }

  @Test
  void withoutATemplateOneMessageIsItsTextAndTwoAreRefused() {
    assertThat(shown(encoder(null).prompt(List.of(QUESTION)))).isEqualTo("^Why?");
    assertThatThrownBy(() -> encoder(null).prompt(List.of(QUESTION, ANSWER)))
        .isInstanceOf(DpoException.class)
        .hasMessageContaining("a conversation needs a chat template");
    assertThatThrownBy(() -> encoder(null).completion(List.of(QUESTION), List.of(ANSWER)))
        .isInstanceOf(DpoException.class)
        .hasMessageContaining("messages need a chat template");
  }

  @Test
  void aCompletionEndsInEosOnce() {
    TextEncoder encoder = encoder(null);
    for (String completion : List.of(" So.", " So.$")) {
      TextEncoder.Encoded encoded = encoder.completion("Why?", completion);
      assertThat(shown(encoded.promptIds())).isEqualTo("^Why?");
      assertThat(shown(encoded.completionIds())).isEqualTo(" So.$");
    }
    TextEncoder withoutEos = new TextEncoder(TOKENIZER, null, new SpecialTokens("^", null, null));
    assertThatThrownBy(() -> withoutEos.completion("Why?", " So."))
        .isInstanceOf(DpoException.class)
        .hasMessageContaining("the model folder names none");
  }

  @Test
  void aCompletionBeginsWhereTheConversationDiffersFromThePrompt() {
    TextEncoder.Encoded encoded = encoder(TEMPLATE).completion(List.of(QUESTION), List.of(ANSWER));
    assertThat(shown(encoded.promptIds())).isEqualTo("<user>Why?$<assistant>");
    assertThat(shown(encoded.completionIds())).isEqualTo("So.$");
  }

  /** With the limits of a run that cuts nothing. */
  @Test
  void theIdsAreThoseOfATrainedPair() {
    ExampleEncoder trained =
        new ExampleEncoder(TOKENIZER, TEMPLATE, SPECIAL, new EncodingLimits(0, 99, 260));
    assertSame(
        encoder(TEMPLATE).completion("Why?", " So."),
        trained.encode(new Example.Text(ORIGIN, "Why?", " So.", " No.")));
    assertSame(
        encoder(TEMPLATE).completion(List.of(QUESTION), List.of(ANSWER)),
        trained.encode(
            new Example.Chat(
                ORIGIN,
                List.of(QUESTION),
                List.of(ANSWER),
                List.of(Message.assistant("No.")),
                Map.of())));
  }

  private static void assertSame(TextEncoder.Encoded found, EncodedRow trained) {
    EncodedExample pair = trained.usable().orElseThrow();
    assertThat(found.promptIds()).isEqualTo(pair.promptIds());
    assertThat(found.completionIds()).isEqualTo(pair.chosenIds());
  }

  private static String shown(int[] ids) {
    return TOKENIZER.decode(ids);
  }
}
