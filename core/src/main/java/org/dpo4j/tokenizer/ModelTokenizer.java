package org.dpo4j.tokenizer;

import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.dpo4j.DpoException;
import org.jspecify.annotations.Nullable;

/**
 * The text side of a model folder.
 *
 * @param text text to ids and back
 * @param template messages to text, or null if the folder has no chat template
 * @param specialTokens BOS, EOS and the other tokens with a role
 * @param differences where transformers, and TRL with it, makes other ids of a text than this; each
 *     says what to do
 */
public record ModelTokenizer(
    HuggingFaceTextTokenizer text,
    @Nullable ChatRenderer template,
    SpecialTokens specialTokens,
    List<String> differences)
    implements AutoCloseable {

  /**
   * Reads a model folder.
   *
   * @throws DpoException if a file is missing or damaged
   */
  public static ModelTokenizer load(Path folder) {
    TokenizerSettings settings = TokenizerSettings.read(folder);
    SpecialTokens special = SpecialTokens.of(settings);
    HuggingFaceTextTokenizer text = HuggingFaceTextTokenizer.load(folder, settings);
    return new ModelTokenizer(text, renderer(folder, special), special, text.differences());
  }

  /**
   * Of a folder with several templates, the one for tools shows the conversations that have them.
   */
  private static @Nullable ChatRenderer renderer(Path folder, SpecialTokens special) {
    Map<String, ChatTemplate> templates = ChatTemplate.fromModelFolder(folder);
    ChatTemplate plain = templates.get(ChatTemplate.DEFAULT);
    if (plain == null) {
      return null;
    }
    ChatTemplate withTools = templates.getOrDefault(ChatTemplate.TOOL_USE, plain);
    return (messages, addGenerationPrompt, variables) -> {
      Map<String, @Nullable Object> all = new HashMap<>(special.named());
      all.putAll(variables);
      return (all.get("tools") == null ? plain : withTools)
          .render(messages, addGenerationPrompt, all);
    };
  }

  @Override
  public void close() {
    text.close();
  }
}
