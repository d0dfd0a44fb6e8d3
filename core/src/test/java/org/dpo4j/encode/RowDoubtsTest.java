package org.dpo4j.encode;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.dpo4j.Message;
import org.dpo4j.data.Completion;
import org.dpo4j.data.CompletionRole;
import org.dpo4j.data.Example;
import org.dpo4j.data.RowNumbers;
import org.dpo4j.data.RowOrigin;
import org.dpo4j.demo.InstructionTokenizer;
import org.dpo4j.tokenizer.ChatRenderer;
import org.dpo4j.tokenizer.SpecialTokens;
import org.dpo4j.tokenizer.TextTokenizer;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * Closes pairs that are trained on in another meaning than a person gave them, without a word. The
 * template is {@code <role>content} for each turn; the ids are still TRL's.
 */
class RowDoubtsTest {
  private static final RowOrigin ORIGIN = new RowOrigin("pairs.jsonl", 1, 1);
  private static final Message QUESTION = Message.of("user", "What is it?");
  private static final Message W = Message.of("assistant", "This.");
  private static final Message L = Message.of("assistant", "That.");

  /** Shows contents, roles and nothing else. */
  private static final ChatRenderer PLAIN =
      (messages, header, variables) -> {
        StringBuilder text = new StringBuilder();
        messages.forEach(
            turn -> text.append('<').append(turn.role()).append('>').append(said(turn)));
        return text.append(header ? "<assistant>" : "").toString();
      };

  /** Shows everything that a turn has, as well as tools. */
  private static final ChatRenderer FULL =
      (messages, header, variables) -> {
        StringBuilder text = new StringBuilder(String.valueOf(variables.get("tools")));
        messages.forEach(turn -> text.append('<').append(turn.role()).append('>').append(turn));
        return text.append(header ? "<assistant>" : "").toString();
      };

  @Test
  void anOrdinaryConversationRaisesNone() {
    assertThat(doubts(PLAIN, List.of(Message.of("system", "s"), QUESTION), W, L)).isEmpty();
  }

  /** The three causes of one symptom: the prompt alone does not begin the whole. */
  @Test
  void aTokenAcrossTheEndOfThePromptIsNeitherALostHeaderNorAnotherTurn() {
    TextTokenizer pairsOfLetters =
        new TextTokenizer() {
          @Override
          public int[] encode(String text, boolean addSpecialTokens) {
            int[] ids = new int[(text.length() + 1) / 2];
            for (int i = 0; i < text.length(); i++) {
              ids[i / 2] = 16 * ids[i / 2] + text.charAt(i) % 16;
            }
            return ids;
          }

          @Override
          public String decode(int[] ids) {
            return "";
          }
        };
    ExampleEncoder encoder =
        new ExampleEncoder(
            pairsOfLetters,
            PLAIN,
            new SpecialTokens(null, null, null),
            new EncodingLimits(0, 99, 260));
    Example.Chat odd = chat(List.of(QUESTION), W, L); // <user>What is it?<assistant>: 28
    assertThat(encoder.encode(odd).warnings()).isEmpty();
    Example.Chat even = chat(List.of(Message.of("user", "What is it")), W, L);
    EncodedRow row = encoder.encode(even);
    assertThat(row.warnings()).containsExactly(RowDoubts.CROSSING_TOKEN);
    assertThat(row.unmatchedPromptIds()).hasSize(1);
  }

  @Test
  void aGenerationPromptThatTheConversationDoesNotRepeatIsNamed() {
    ChatRenderer thinks =
        (messages, header, variables) ->
            PLAIN.render(messages, header, variables) + (header ? "<think>" : "");
    assertThat(doubts(thinks, List.of(QUESTION), W, L)).containsExactly(RowDoubts.LOST_HEADER);
    Message thought = Message.of("assistant", "<think>Hm.</think>This.");
    Message other = Message.of("assistant", "<think>Oh.</think>That.");
    assertThat(doubts(thinks, List.of(QUESTION), thought, other)).isEmpty();
  }

  @Test
  void aCompletionThatIsNotTheAssistantsIsNamed() {
    Message tool = Message.of("tool", "42");
    assertThat(doubts(PLAIN, List.of(QUESTION, L), tool, W))
        .containsExactlyInAnyOrder(RowDoubts.OTHER_TURN, RowDoubts.PROMPT_ENDS_IN_ANSWER);
    assertThat(doubts(PLAIN, List.of(QUESTION), Message.of("bot", "This."), L))
        .containsExactlyInAnyOrder(RowDoubts.OTHER_TURN, RowDoubts.ALIAS_ROLE);
  }

  @Test
  void whatTheTemplateDoesNotShowIsNamed() {
    Message call =
        new Message(
            Map.of(
                "role",
                "assistant",
                "content",
                "",
                "tool_calls",
                List.of(Map.of("function", Map.of("name", "look")))));
    List<Message> prompt =
        List.of(Message.of("system", "Be brief."), QUESTION, call, Message.of("tool", "42"));
    Map<String, Object> tools = Map.of("tools", List.of(Map.of("name", "look")));
    ChatRenderer onlyUsers =
        (messages, header, variables) ->
            PLAIN.render(
                messages.stream()
                    .filter(turn -> Set.of("user", "assistant").contains(turn.role()))
                    .toList(),
                header,
                variables);
    assertThat(encode(onlyUsers, chat(prompt, W, L, tools)).warnings())
        .containsExactlyInAnyOrder(
            RowDoubts.SYSTEM_NOT_SHOWN,
            RowDoubts.TOOL_NOT_SHOWN,
            RowDoubts.CALLS_NOT_SHOWN,
            RowDoubts.TOOLS_NOT_SHOWN);
    assertThat(encode(FULL, chat(prompt, W, L, tools)).warnings()).isEmpty();
  }

  /** Llama 3.1 writes what a tool answered as JSON. */
  @Test
  void whatIsShownInAnotherNotationIsShown() {
    ChatRenderer json =
        (messages, header, variables) ->
            PLAIN.render(messages, header, variables).replace("\n", "\\n");
    List<Message> prompt = List.of(QUESTION, L, Message.of("tool", "4\n2"));
    assertThat(doubts(json, prompt, W, L)).isEmpty();
  }

  @Test
  void aThoughtThatIsTrainedOnAndNotShownIsNamed() {
    Map<String, Object> fields = new LinkedHashMap<>(W.fields());
    fields.put("reasoning_content", "Hm.");
    Message thought = new Message(fields);
    assertThat(doubts(PLAIN, List.of(QUESTION), thought, L))
        .containsExactly(RowDoubts.THOUGHT_NOT_SHOWN);
    assertThat(doubts(FULL, List.of(QUESTION), thought, L)).isEmpty();
    assertThat(doubts(PLAIN, List.of(QUESTION, thought, QUESTION), W, L)).isEmpty();
  }

  @Test
  void partsInPythonsNotationAreNamed() {
    Message parts =
        new Message(
            Map.of(
                "role", "user", "content", List.of(Map.of("type", "text", "text", "What is it?"))));
    ChatRenderer python =
        (messages, header, variables) ->
            "[{'type': 'text'}]" + (header ? "" : said(messages.get(1)));
    assertThat(doubts(PLAIN, List.of(parts), W, L)).isEmpty();
    assertThat(doubts(python, List.of(parts), W, L)).contains(RowDoubts.PARTS_NOT_READ);
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '`',
      textBlock =
          """
          `p`             | `w`                | `l`    | ``
          ` `             | `w`                | `l`    | the prompt is empty
          `p`             | ` `                | `l`    | a completion is only white space
          `p`             | `w `               | ` w`   | chosen and rejected differ only in white space
          `Name a fruit.` | `Name a fruit. Ap` | `Kiwi` | a completion begins with the text of the prompt
          `Name a`        | `Name a fruit. Ap` | `Kiwi` | ``
          """)
  void textsThatAreHardlyMeantAreNamed(String prompt, String chosen, String rejected, String says) {
    Set<String> found = RowDoubts.of(new Example.Text(ORIGIN, prompt, chosen, rejected));
    if (says.isEmpty()) {
      assertThat(found).isEmpty();
    } else {
      assertThat(found).singleElement().asString().startsWith(says);
    }
  }

  /** A text without a prompt is all there is to learn; of white space as a prompt it is not. */
  @Test
  void aWholeTextNeedsNoPrompt() {
    assertThat(RowDoubts.of(whole("", "All of it."))).isEmpty();
    assertThat(RowDoubts.of(whole(" ", "All of it."))).containsExactly(RowDoubts.EMPTY_PROMPT);
    assertThat(RowDoubts.of(new Example.Text(ORIGIN, "", "w", "l")))
        .containsExactly(RowDoubts.EMPTY_PROMPT);
  }

  private static Example.Text whole(String prompt, String text) {
    return new Example.Text(
        ORIGIN, prompt, List.of(new Completion<>(CompletionRole.CHOSEN, text)), RowNumbers.NONE);
  }

  /** Answers that are alike in their first words may differ in a call, or in a later turn. */
  @Test
  void answersThatDifferInMoreThanTheirWordsAreNotTheSame() {
    Message calls =
        new Message(
            Map.of(
                "role",
                "assistant",
                "content",
                "That. ",
                "tool_calls",
                List.of(Map.of("function", Map.of("name", "look")))));
    assertThat(encode(FULL, chat(List.of(QUESTION), calls, L)).warnings()).isEmpty();
    Example.Chat longer =
        new Example.Chat(
            ORIGIN,
            List.of(QUESTION),
            List.of(Message.of("assistant", "That. "), QUESTION, W),
            List.of(L, QUESTION, L),
            Map.of());
    assertThat(encode(PLAIN, longer).warnings()).isEmpty();
  }

  @Test
  void aTextThatLooksLikePythonsNotationIsAText() {
    Message code = Message.of("user", "What is [{'type': 'text'}]?");
    assertThat(doubts(PLAIN, List.of(code), W, L)).isEmpty();
  }

  @Test
  void turnsThatAreHardlyMeantAreNamed() {
    assertThat(doubts(PLAIN, List.of(Message.of("user", " ")), W, L))
        .containsExactly(RowDoubts.EMPTY_PROMPT);
    assertThat(doubts(PLAIN, List.of(QUESTION), Message.of("assistant", "That. "), L))
        .containsExactly(RowDoubts.SAME_BUT_SPACE);
    assertThat(doubts(PLAIN, List.of(QUESTION), Message.of("assistant", "\n"), L))
        .containsExactly(RowDoubts.BLANK_COMPLETION);
    List<Message> prompt = List.of(Message.of("user", "Name a fruit."));
    Message one = Message.of("assistant", "Name a fruit. Apple.");
    Message two = Message.of("assistant", "Name a fruit. Brick.");
    assertThat(doubts(PLAIN, prompt, one, two)).containsExactly(RowDoubts.REPEATED_PROMPT);
    assertThat(doubts(PLAIN, prompt, W, two)).isEmpty(); // an answer that parrots
  }

  private static String said(Message turn) {
    return turn.content() instanceof List<?> ? "What is it?" : String.valueOf(turn.content());
  }

  private static Set<String> doubts(
      ChatRenderer template, List<Message> prompt, Message chosen, Message rejected) {
    return encode(template, chat(prompt, chosen, rejected)).warnings();
  }

  private static EncodedRow encode(ChatRenderer template, Example pair) {
    return new ExampleEncoder(
            new InstructionTokenizer(),
            template,
            new SpecialTokens(null, null, null),
            new EncodingLimits(0, 9999, 260))
        .encode(pair);
  }

  private static Example.Chat chat(List<Message> prompt, Message chosen, Message rejected) {
    return chat(prompt, chosen, rejected, Map.of());
  }

  private static Example.Chat chat(
      List<Message> prompt, Message chosen, Message rejected, Map<String, Object> variables) {
    return new Example.Chat(ORIGIN, prompt, List.of(chosen), List.of(rejected), variables);
  }
}
