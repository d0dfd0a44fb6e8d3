package org.dpo4j.encode;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.function.BiFunction;
import java.util.function.BiPredicate;
import org.dpo4j.Message;
import org.dpo4j.OptionText;
import org.dpo4j.data.Completion;
import org.dpo4j.data.Example;
import org.dpo4j.data.RepeatedPrompt;
import org.jspecify.annotations.Nullable;

/**
 * Finds what is rarely intended in the texts and turns of a row, though TRL trains on it as well.
 * Each warning says what to do.
 */
final class RowDoubts {
  static final String EMPTY_PROMPT =
      OptionText.of(
          "the prompt is empty; give it in the column \"prompt\", or name its column with {columns}"
              + " prompt=NAME");
  static final String OTHER_IDS =
      OptionText.of(
          "transformers gives a text other ids than tokenizer.json as it stands; pass"
              + " {tokenizer_source} transformers for TRL's");
  static final String CROSSING_TOKEN =
      "a token crosses the end of the prompt, and the prompt is cut before it; end prompts where a"
          + " token ends, with the space at the start of the completion";
  static final String LOST_HEADER =
      "the chat template ends the prompt in a text that the whole conversation does not repeat, such"
          + " as <think>, and it is left out of the prompt; begin the answers with that text, or use"
          + " a template that renders both alike";
  static final String OTHER_TURN =
      "a completion begins with a turn that is not the assistant's, and the prompt is cut before its"
          + " role; write the role as assistant";
  static final String PROMPT_ENDS_IN_ANSWER =
      "the prompt ends in the assistant's turn, and the completions are another answer after it; end"
          + " prompts in the user's or a tool's turn";
  static final String REPEATED_PROMPT =
      "a completion begins with the text of the prompt; remove it there if the answer does not say"
          + " it";
  static final String BLANK_COMPLETION = "a completion is only white space; remove the row";
  static final String SAME_BUT_SPACE =
      "chosen and rejected differ only in white space at their ends; remove the row";
  static final String ALIAS_ROLE =
      "a role is one that chat templates seldom know (human, gpt, bot, ...); write user or assistant";
  static final String SYSTEM_NOT_SHOWN =
      "the chat template does not show a system message; put its text into the first user's turn, or"
          + " use a template that shows it";
  static final String TOOL_NOT_SHOWN =
      "the chat template does not show what a tool answered; use a template for tools";
  static final String CALLS_NOT_SHOWN =
      "the chat template does not show tool_calls; use a template for tools";
  static final String TOOLS_NOT_SHOWN =
      "the chat template does not show the tools of the row; use a template for tools";
  static final String THOUGHT_NOT_SHOWN =
      "the chat template does not show the reasoning of an answer that is trained on; write it into"
          + " its content";
  static final String PARTS_NOT_READ =
      "the chat template writes a list of text parts in Python's notation; write content as a string";

  private static final Set<String> ALIASES =
      Set.of(
          "human",
          "gpt",
          "chatgpt",
          "bot",
          "chatbot",
          "ai",
          "instruction",
          "response",
          "question",
          "answer");
  private static final List<String> THOUGHTS =
      List.of("reasoning_content", "reasoning", "thinking");

  private RowDoubts() {}

  static Set<String> of(Example.Text example) {
    Set<String> found = new TreeSet<>();
    List<String> completions = contents(example.completions());
    boolean wholeText = example.prompt().isEmpty() && completions.size() == 1;
    if (example.prompt().isBlank() && !wholeText) {
      found.add(EMPTY_PROMPT);
    }
    String prompt = example.prompt().strip();
    if (completions.stream().anyMatch(text -> RepeatedPrompt.opens(text, prompt))) {
      found.add(REPEATED_PROMPT);
    }
    compare(completions, found);
    return found;
  }

  /**
   * @param prompt the prompt, rendered with the header of the answer
   * @param whole the whole conversation with each completion, rendered
   * @param render renders other turns with other variables, for comparison
   */
  static Set<String> of(
      Example.Chat example,
      String prompt,
      List<String> whole,
      BiFunction<List<Message>, Map<String, @Nullable Object>, String> render) {
    Set<String> found = new TreeSet<>();
    List<List<Message>> completions = contents(example.completions());
    if (!example.prompt().isEmpty()) {
      continuation(example, prompt, whole, found);
    }
    for (int i = 0; i < completions.size(); i++) {
      turns(
          example.prompt(),
          completions.get(i),
          whole.get(i),
          example.templateVariables(),
          render,
          found);
    }
    return found;
  }

  /** What is doubtful about completions that follow a prompt. */
  private static void continuation(
      Example.Chat example, String prompt, List<String> whole, Set<String> found) {
    List<List<Message>> completions = contents(example.completions());
    List<Message> firsts = completions.stream().map(turns -> turns.get(0)).toList();
    if (!whole.stream().allMatch(text -> text.startsWith(prompt))) {
      found.add(firsts.stream().allMatch(RowDoubts::isAssistant) ? LOST_HEADER : OTHER_TURN);
    }
    Message last = example.prompt().get(example.prompt().size() - 1);
    if (isAssistant(last)) {
      found.add(PROMPT_ENDS_IN_ANSWER);
    }
    String question = last.text().strip();
    if (question.isEmpty() && last.role().equals("user")) {
      found.add(EMPTY_PROMPT);
    }
    List<String> answers = firsts.stream().map(Message::text).toList();
    if (answers.stream().allMatch(answer -> RepeatedPrompt.opens(answer, question))) {
      found.add(REPEATED_PROMPT);
    }
    if (completions.stream().allMatch(turns -> turns.size() == 1)
        && firsts.stream().allMatch(RowDoubts::onlySpeaks)) {
      compare(answers, found);
    }
  }

  private static <T> List<T> contents(List<Completion<T>> completions) {
    return completions.stream().map(Completion::content).toList();
  }

  private static void compare(List<String> completions, Set<String> found) {
    if (completions.stream().anyMatch(String::isBlank)) {
      found.add(BLANK_COMPLETION);
    } else if (completions.size() > 1
        && completions.stream().map(String::strip).distinct().count() == 1) {
      found.add(SAME_BUT_SPACE);
    }
  }

  private static boolean isAssistant(Message turn) {
    return turn.role().equals("assistant");
  }

  private static boolean onlySpeaks(Message turn) {
    return turn.content() != null && turn.fields().size() == 2;
  }

  /** Finds content of one side's conversation that is missing from its rendering. */
  private static void turns(
      List<Message> prompt,
      List<Message> completion,
      String rendered,
      Map<String, @Nullable Object> variables,
      BiFunction<List<Message>, Map<String, @Nullable Object>, String> render,
      Set<String> found) {
    List<Message> all = new ArrayList<>(prompt);
    all.addAll(completion);
    for (int i = 0; i < all.size(); i++) {
      Message turn = all.get(i);
      if (ALIASES.contains(turn.role())) {
        found.add(ALIAS_ROLE);
      }
      int index = i;
      BiPredicate<String, Object> shows =
          (field, value) ->
              !rendered.equals(render.apply(with(all, index, field, value), variables));
      if (isLost(turn.text(), rendered, "content", shows)) {
        if (turn.role().equals("system") || turn.role().equals("developer")) {
          found.add(SYSTEM_NOT_SHOWN);
        } else if (turn.role().equals("tool")) {
          found.add(TOOL_NOT_SHOWN);
        }
      }
      if (turn.content() instanceof List<?> && rendered.contains("'type': 'text'")) {
        found.add(PARTS_NOT_READ);
      }
      if (hasEntries(turn.fields().get("tool_calls")) && !shows.test("tool_calls", List.of())) {
        found.add(CALLS_NOT_SHOWN);
      }
      for (String thought : THOUGHTS) {
        if (i >= prompt.size()
            && turn.fields().get(thought) instanceof String thinking
            && isLost(thinking, rendered, thought, shows)) {
          found.add(THOUGHT_NOT_SHOWN);
        }
      }
    }
    if (hasEntries(variables.get("tools"))) {
      Map<String, @Nullable Object> others = new LinkedHashMap<>(variables);
      others.remove("tools");
      if (rendered.equals(render.apply(all, others))) {
        found.add(TOOLS_NOT_SHOWN);
      }
    }
  }

  private static boolean hasEntries(@Nullable Object value) {
    return value instanceof List<?> list && !list.isEmpty();
  }

  /** Whether a text is missing in every notation, such as JSON's. */
  private static boolean isLost(
      String text, String rendered, String field, BiPredicate<String, Object> shows) {
    return !text.isBlank() && !rendered.contains(text.strip()) && !shows.test(field, text + " x");
  }

  private static List<Message> with(List<Message> turns, int index, String field, Object value) {
    Map<String, @Nullable Object> fields = new LinkedHashMap<>(turns.get(index).fields());
    fields.put(field, value);
    fields.putIfAbsent("content", ""); // for turns that only have calls
    List<Message> others = new ArrayList<>(turns);
    others.set(index, new Message(fields));
    return others;
  }
}
