package org.dpo4j.tokenizer;

import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;
import org.dpo4j.DpoException;
import org.jspecify.annotations.Nullable;

/**
 * The text side of a model folder.
 *
 * @param text text to ids and back
 * @param template messages to text, or null if the folder has no chat template
 * @param specialTokens BOS, EOS and PAD
 */
public record ModelTokenizer(
    HuggingFaceTextTokenizer text, @Nullable ChatRenderer template, SpecialTokens specialTokens)
    implements AutoCloseable {

  /**
   * Reads a model folder.
   *
   * @throws DpoException if a file is missing or damaged
   */
  public static ModelTokenizer load(Path folder) {
    SpecialTokens special = SpecialTokens.fromModelFolder(folder);
    ChatRenderer template =
        ChatTemplate.fromModelFolder(folder).map(t -> bound(t, special)).orElse(null);
    return new ModelTokenizer(HuggingFaceTextTokenizer.load(folder), template, special);
  }

  private static ChatRenderer bound(ChatTemplate template, SpecialTokens special) {
    Map<String, @Nullable Object> variables = new HashMap<>();
    put(variables, "bos_token", special.bosToken());
    put(variables, "eos_token", special.eosToken());
    put(variables, "pad_token", special.padToken());
    return (messages, addGenerationPrompt) ->
        template.render(messages, addGenerationPrompt, variables);
  }

  /** A token that the model lacks is undefined in its template, as in transformers. */
  private static void put(
      Map<String, @Nullable Object> variables, String name, @Nullable String token) {
    if (token != null) {
      variables.put(name, token);
    }
  }

  @Override
  public void close() {
    text.close();
  }
}
