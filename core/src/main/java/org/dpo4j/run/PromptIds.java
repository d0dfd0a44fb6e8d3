package org.dpo4j.run;

import java.util.List;
import java.util.Map;
import org.dpo4j.DpoException;
import org.dpo4j.Message;
import org.dpo4j.OptionText;
import org.dpo4j.generate.Generator;
import org.dpo4j.report.RunOutput;
import org.dpo4j.tokenizer.ChatRenderer;
import org.dpo4j.tokenizer.ModelTokenizer;

/** Prompts as the token ids that a model completes. */
final class PromptIds {

  private PromptIds() {}

  /** Notes the settings of {@code generation_config.json} that change no answer here. */
  static void noteUnread(ModelBundle inputs, RunOutput output) {
    List<String> unread = inputs.loaded().unreadGenerationSettings();
    if (!unread.isEmpty()) {
      output.note(
          "generation_config.json sets "
              + String.join(", ", unread)
              + ", which is not read here; answers depend on the options of this command alone");
    }
  }

  /** Whether a prompt is rendered by the chat template. */
  static boolean rendered(ModelTokenizer tokenizer, boolean raw) {
    return !raw && tokenizer.template() != null;
  }

  /**
   * Renders a prompt by the chat template, or encodes its plain text.
   *
   * @param place the beginning of a message about the prompt
   * @param raw whether the chat template is not used
   * @throws DpoException if the prompt cannot be rendered or the model cannot complete it
   */
  static int[] of(
      String place,
      List<Message> prompt,
      ModelTokenizer tokenizer,
      boolean raw,
      Generator generator) {
    try {
      int[] ids = encode(prompt, tokenizer, raw);
      generator.check(ids);
      return ids;
    } catch (DpoException e) {
      throw new DpoException(place + e.text(), e);
    }
  }

  private static int[] encode(List<Message> prompt, ModelTokenizer tokenizer, boolean raw) {
    ChatRenderer template = tokenizer.template();
    if (raw || template == null) {
      if (prompt.size() > 1) {
        throw new DpoException(
            "a conversation needs a chat template but "
                + (raw ? OptionText.of("{raw} turns it off") : "the model folder has none")
                + "; pass the prompt as one text");
      }
      return tokenizer.text().encode(prompt.get(0).text(), true);
    }
    return tokenizer.text().encode(template.render(prompt, true, Map.of()), false);
  }
}
