package org.dpo4j.tokenizer;

import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.dpo4j.DpoException;
import org.dpo4j.Message;
import org.dpo4j.tokenizer.ChatRenderer.MarkedText;
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
    return load(folder, TextReplacement.NONE);
  }

  /**
   * Reads a model folder, except for what is replaced.
   *
   * @throws DpoException if a file is missing or damaged
   */
  static ModelTokenizer load(Path folder, TextReplacement replaced) {
    TokenizerSettings settings = TokenizerSettings.read(folder);
    SpecialTokens special = SpecialTokens.of(settings);
    ChatRenderer renderer = renderer(ownTemplates(folder, replaced), replaced, special);
    if (replaced.text() != null) {
      return new ModelTokenizer(replaced.text(), renderer, special, List.of());
    }
    HuggingFaceTextTokenizer own =
        HuggingFaceTextTokenizer.load(folder, settings, replaced.tokenizerSource());
    return new ModelTokenizer(own, renderer, special, own.differences());
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

  /** A renderer of parsed templates, for conversations without and with tools. */
  static ChatRenderer renderer(ChatTemplate plain, ChatTemplate withTools) {
    return new FolderTemplates(plain, withTools);
  }

  /** The templates of a folder by name, unless they are replaced. */
  static Map<String, ChatTemplate> ownTemplates(Path folder, TextReplacement replaced) {
    return replaced.template() == null ? ChatTemplate.fromModelFolder(folder) : Map.of();
  }

  /**
   * The renderer of a model.
   *
   * @param own the folder's templates, by name
   * @param special variables of the template
   * @return null if there is no template
   */
  static @Nullable ChatRenderer renderer(
      Map<String, ChatTemplate> own, TextReplacement replaced, SpecialTokens special) {
    ChatTemplate plain = own.get(ChatTemplate.DEFAULT);
    ChatRenderer template =
        plain == null
            ? replaced.template()
            : renderer(plain, own.getOrDefault(ChatTemplate.TOOL_USE, plain));
    if (template == null) {
      return null;
    }
    Map<String, @Nullable Object> names = new HashMap<>(special.named());
    names.putAll(replaced.variables()); // in transformers too, they come before the special tokens
    return new Named(names, template);
  }

  /** Frees the tokenizer of the folder; one that a program passed stays its own. */
  @Override
  public void close() {
    if (text instanceof HuggingFaceTextTokenizer own) {
      own.close();
    }
  }
}
