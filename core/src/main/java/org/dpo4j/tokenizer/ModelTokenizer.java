package org.dpo4j.tokenizer;

import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.dpo4j.DpoException;
import org.dpo4j.Message;
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
    HuggingFaceTextTokenizer own =
        HuggingFaceTextTokenizer.load(folder, settings, TokenizerSource.FILE);
    return new ModelTokenizer(own, renderer, special, own.differences());
  }

  private static ChatRenderer withNames(SpecialTokens special, ChatRenderer template) {
    return new Named(new HashMap<>(special.named()), template);
  }

  /** A renderer with further variables, which those of a conversation replace. */
  private record Named(Map<String, @Nullable Object> names, ChatRenderer template)
      implements ChatRenderer {

    @Override
    public String render(
        List<Message> messages,
        boolean addGenerationPrompt,
        Map<String, @Nullable Object> variables) {
      return template.render(messages, addGenerationPrompt, all(variables));
    }

    @Override
    public MarkedText renderMarked(
        List<Message> messages, Map<String, @Nullable Object> variables) {
      return template.renderMarked(messages, all(variables));
    }

    @Override
    public boolean marksGenerated() {
      return template.marksGenerated();
    }

    @Override
    public String origin() {
      return template.origin();
    }

    private Map<String, @Nullable Object> all(Map<String, @Nullable Object> variables) {
      Map<String, @Nullable Object> all = new HashMap<>(names);
      all.putAll(variables);
      return all;
    }
  }

  /** If a folder has several templates, the one for tools renders conversations with tools. */
  private record FolderTemplates(ChatTemplate plain, ChatTemplate withTools)
      implements ChatRenderer {

    @Override
    public String render(
        List<Message> messages,
        boolean addGenerationPrompt,
        Map<String, @Nullable Object> variables) {
      return of(variables).render(messages, addGenerationPrompt, variables);
    }

    @Override
    public MarkedText renderMarked(
        List<Message> messages, Map<String, @Nullable Object> variables) {
      return of(variables).renderMarked(messages, variables);
    }

    @Override
    public boolean marksGenerated() {
      return plain.marksGenerated();
    }

    @Override
    public String origin() {
      return plain.origin();
    }

    private ChatTemplate of(Map<String, @Nullable Object> variables) {
      return variables.get("tools") == null ? plain : withTools;
    }
  }

  private static @Nullable ChatRenderer renderer(Path folder, SpecialTokens special) {
    Map<String, ChatTemplate> templates = ChatTemplate.fromModelFolder(folder);
    ChatTemplate plain = templates.get(ChatTemplate.DEFAULT);
    return plain == null
        ? null
        : withNames(
            special,
            new FolderTemplates(plain, templates.getOrDefault(ChatTemplate.TOOL_USE, plain)));
  }

  /** Frees the tokenizer of the folder; one that a program passed stays its own. */
  @Override
  public void close() {
    if (text instanceof HuggingFaceTextTokenizer own) {
      own.close();
    }
  }
}
