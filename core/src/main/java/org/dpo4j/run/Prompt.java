package org.dpo4j.run;

import java.util.ArrayList;
import java.util.List;
import org.dpo4j.Message;
import org.dpo4j.config.PromptInput;
import org.dpo4j.data.PromptReader;
import org.dpo4j.generate.Generator;

/**
 * A prompt.
 *
 * @param place {@code [file:line] } if it is from a file, else empty
 */
record Prompt(String place, List<Message> messages) {

  /** The prompts that a command is given. */
  static List<Prompt> of(PromptInput input) {
    if (input.prompt().isPresent()) {
      return List.of(new Prompt("", List.of(Message.of("user", input.prompt().get()))));
    }
    List<PromptReader.Prompt> prompts =
        input.readsStandardInput()
            ? PromptReader.readStandardInput(System.in)
            : PromptReader.read(input.promptsFile().orElseThrow());
    return prompts.stream()
        .map(prompt -> new Prompt(prompt.origin() + " ", prompt.messages()))
        .toList();
  }

  /**
   * The token ids of all prompts, so that a bad one fails before the first completion.
   *
   * @param raw whether the chat template is not used
   * @throws org.dpo4j.DpoException if a prompt cannot be rendered or completed
   */
  static List<int[]> ids(
      List<Prompt> prompts, ModelBundle inputs, boolean raw, Generator generator) {
    List<int[]> ids = new ArrayList<>();
    for (Prompt prompt : prompts) {
      ids.add(PromptIds.of(prompt.place, prompt.messages, inputs.tokenizer(), raw, generator));
    }
    return ids;
  }

  /** The text of the last message. */
  String text() {
    return messages.get(messages.size() - 1).text();
  }

  /** As JSON: a text, or the messages of a conversation. */
  Object json() {
    return messages.size() == 1
        ? messages.get(0).text()
        : messages.stream().map(Message::fields).toList();
  }
}
