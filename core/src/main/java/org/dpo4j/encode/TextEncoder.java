package org.dpo4j.encode;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import org.dpo4j.DpoException;
import org.dpo4j.Message;
import org.dpo4j.tokenizer.ChatRenderer;
import org.dpo4j.tokenizer.SpecialTokens;
import org.dpo4j.tokenizer.TextTokenizer;
import org.jspecify.annotations.Nullable;

/**
 * Encodes single prompts and completions by the rules of {@link ExampleEncoder}, so that their
 * log-probabilities equal those of a pair. Safe for use by several threads.
 */
public final class TextEncoder {

  private final TextTokenizer tokenizer;
  private final @Nullable ChatRenderer template;
  private final SpecialTokens specialTokens;

  /**
   * @param template of the model, or null if it has none; only a prompt of one message can then be
   *     encoded, as its text
   */
  public TextEncoder(
      TextTokenizer tokenizer, @Nullable ChatRenderer template, SpecialTokens specialTokens) {
    this.tokenizer = tokenizer;
    this.template = template;
    this.specialTokens = specialTokens;
  }

  /**
   * A prompt and its completion as token ids.
   *
   * @param promptIds the ids before the completion; may be empty
   * @param completionIds the ids from the first one that differs from the prompt alone
   */
  @SuppressWarnings("ArrayRecordComponent") // read once, right after it is made
  public record Encoded(int[] promptIds, int[] completionIds) {}

  /** A text to be continued. */
  public int[] prompt(String text) {
    return tokenizer.encode(text, true);
  }

  /**
   * A conversation to be answered, rendered with the header of the assistant's turn.
   *
   * @throws DpoException if the template refuses the messages, or there is no template and more
   *     than one message
   */
  public int[] prompt(List<Message> messages) {
    if (template == null) {
      if (messages.size() != 1) {
        throw new DpoException(
            "a conversation needs a chat template but the model folder has none; pass the prompt as"
                + " one text");
      }
      return prompt(messages.get(0).text());
    }
    return tokenizer.encode(template.render(messages, true, Map.of()), false);
  }

  /**
   * A text and its continuation, to which the end-of-sequence token is added unless it ends in it.
   *
   * @throws DpoException if the model names no end-of-sequence token
   */
  public Encoded completion(String prompt, String completion) {
    String eos = specialTokens.eosToken();
    if (eos == null) {
      throw new DpoException(
          "plain text must end in EOS but the model folder names none; set \"eos_token\" in"
              + " tokenizer_config.json");
    }
    return split(prompt, prompt + ExampleEncoder.endingIn(eos, completion), true);
  }

  /**
   * A conversation and its continuation, rendered by the chat template.
   *
   * @throws DpoException if there is no template, or it refuses the messages
   */
  public Encoded completion(List<Message> prompt, List<Message> completion) {
    if (template == null) {
      throw new DpoException(
          "messages need a chat template but the model folder has none; add chat_template.jinja to"
              + " it, or pass prompt and completion as text");
    }
    List<Message> all = new ArrayList<>(prompt);
    all.addAll(completion);
    return split(
        template.render(prompt, true, Map.of()), template.render(all, false, Map.of()), false);
  }

  private Encoded split(String prompt, String all, boolean addSpecialTokens) {
    int[] promptIds = tokenizer.encode(prompt, addSpecialTokens);
    int[] allIds = tokenizer.encode(all, addSpecialTokens);
    int boundary = ExampleEncoder.commonPrefix(promptIds, allIds);
    return new Encoded(
        Arrays.copyOf(allIds, boundary), Arrays.copyOfRange(allIds, boundary, allIds.length));
  }
}
