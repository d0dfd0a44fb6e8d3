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
 * @param differences where ids differ from those of transformers and TRL; each says what to do
 */
public record ModelTokenizer(
    TextTokenizer text,
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
    return load(folder, null, null);
  }

  /**
   * Reads a model folder, except for what a program replaces.
   *
   * @param text replaces the tokenizer of the folder; null for that one
   * @param template replaces the chat template of the folder, and gets the special tokens as
   *     variables; null for that one
   * @throws DpoException if a file is missing or damaged
   */
  public static ModelTokenizer load(
      Path folder, @Nullable TextTokenizer text, @Nullable ChatRenderer template) {
    TokenizerSettings settings = TokenizerSettings.read(folder);
    SpecialTokens special = SpecialTokens.of(settings);
    ChatRenderer renderer =
        template == null ? renderer(folder, special) : withNames(special, template);
    if (text != null) {
      return new ModelTokenizer(text, renderer, special, List.of());
    }
    HuggingFaceTextTokenizer own = HuggingFaceTextTokenizer.load(folder, settings);
    return new ModelTokenizer(own, renderer, special, own.differences());
  }

  private static ChatRenderer withNames(SpecialTokens special, ChatRenderer template) {
    return (messages, addGenerationPrompt, variables) -> {
      Map<String, @Nullable Object> all = new HashMap<>(special.named());
      all.putAll(variables);
      return template.render(messages, addGenerationPrompt, all);
    };
  }

  /** If a folder has several templates, the one for tools renders conversations with tools. */
  private static @Nullable ChatRenderer renderer(Path folder, SpecialTokens special) {
    Map<String, ChatTemplate> templates = ChatTemplate.fromModelFolder(folder);
    ChatTemplate plain = templates.get(ChatTemplate.DEFAULT);
    if (plain == null) {
      return null;
    }
    ChatTemplate withTools = templates.getOrDefault(ChatTemplate.TOOL_USE, plain);
    return withNames(
        special,
        (messages, addGenerationPrompt, variables) ->
            (variables.get("tools") == null ? plain : withTools)
                .render(messages, addGenerationPrompt, variables));
  }

  /** Frees the tokenizer of the folder; one that a program passed stays its own. */
  @Override
  public void close() {
    if (text instanceof HuggingFaceTextTokenizer own) {
      own.close();
    }
  }
}
