package org.dpo4j.tokenizer;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import org.dpo4j.DpoException;
import org.dpo4j.options.BoundedFile;
import org.dpo4j.options.Limit;
import org.dpo4j.options.OptionType;
import org.jspecify.annotations.Nullable;

/**
 * What is used in place of a model folder's tokenizer and chat template.
 *
 * @param text replaces the tokenizer; null for the folder's
 * @param template replaces the chat template, and gets the special tokens as variables; null for
 *     the folder's
 * @param source the text of the template, to be saved with a model that is trained with it; null
 *     where it has none
 * @param variables further variables of the template, which those of a conversation replace
 * @param tokenizerSource which tokenizer the folder's files stand for
 */
public record TextReplacement(
    @Nullable TextTokenizer text,
    @Nullable ChatRenderer template,
    @Nullable String source,
    Map<String, @Nullable Object> variables,
    TokenizerSource tokenizerSource) {

  /** Nothing is replaced. */
  public static final TextReplacement NONE = new TextReplacement(null, null);

  public TextReplacement {
    variables = Collections.unmodifiableMap(new TreeMap<>(variables));
  }

  /** Parts that a program replaces. */
  public TextReplacement(@Nullable TextTokenizer text, @Nullable ChatRenderer template) {
    this(text, template, null, Map.of(), TokenizerSource.FILE);
  }

  /**
   * The same with another template.
   *
   * @param file of the template
   * @throws DpoException if it cannot be read, or is no template
   */
  public TextReplacement withTemplate(Path file) {
    String read = ChatTemplate.source(file);
    ChatTemplate parsed = ChatTemplate.parse(read, file.toString());
    return new TextReplacement(
        text, ModelTokenizer.renderer(parsed, parsed), read, variables, tokenizerSource);
  }

  /**
   * The same with the ids of the tokenizer that an adapter was trained with, where transformers
   * built that from the model's files; and with the template of the adapter's folder if no template
   * is replaced yet and that folder has a single one that is not the model's. Tools save it there
   * with the tokenizer that the adapter was trained with.
   *
   * @throws DpoException if a file cannot be read, or is no template
   */
  public TextReplacement orOfAdapter(Optional<Path> adapter, Path model) {
    if (adapter.isEmpty()) {
      return this;
    }
    TextReplacement ids =
        text == null
                && tokenizerSource == TokenizerSource.FILE
                && hasTokenizerOfTransformers(adapter.get(), model)
            ? withTokenizerSource(TokenizerSource.TRANSFORMERS)
            : this;
    return ids.orTemplateOf(adapter.get(), model);
  }

  /** Whether an adapter was trained with the tokenizer that transformers builds for the model. */
  private static boolean hasTokenizerOfTransformers(Path adapter, Path model) {
    Path file = adapter.resolve("tokenizer.json");
    Path models = model.resolve("tokenizer.json");
    if (!Files.isRegularFile(file) || !Files.isRegularFile(models)) {
      return false;
    }
    try {
      if (Files.mismatch(file, models) < 0) { // the usual case, without building anything
        return false;
      }
      byte[] own = BoundedFile.bytes(file, Limit.TOKENIZER_BYTES);
      return HuggingFaceTextTokenizer.rebuilt(model)
          .filter(json -> Arrays.equals(json, own))
          .isPresent();
    } catch (IOException e) {
      return false; // reported where it is read
    }
  }

  private TextReplacement orTemplateOf(Path adapter, Path model) {
    if (template != null) {
      return this;
    }
    Path file = adapter.resolve(ChatTemplate.FILE);
    Path models = model.resolve(ChatTemplate.FILE);
    boolean own =
        Files.isRegularFile(file)
            && !Files.exists(adapter.resolve(ChatTemplate.ADDITIONAL))
            && !(Files.isRegularFile(models)
                && ChatTemplate.source(models).equals(ChatTemplate.source(file)));
    return own ? withTemplate(file) : this;
  }

  /** What is replaced, in words for a header; empty if it is nothing of the template. */
  public Optional<String> templateWords() {
    List<String> words = new ArrayList<>();
    if (template != null) {
      words.add(template.origin());
    } else if (!variables.isEmpty()) {
      words.add("the model's");
    }
    variables.forEach(
        (name, value) ->
            words.add(name + " " + (value instanceof String ? value : OptionType.json(value))));
    return words.isEmpty() ? Optional.empty() : Optional.of(String.join(", ", words));
  }

  /** The same with other variables. */
  public TextReplacement withVariables(Map<String, @Nullable Object> others) {
    return new TextReplacement(text, template, source, others, tokenizerSource);
  }

  /** The same with another source of the ids. */
  public TextReplacement withTokenizerSource(TokenizerSource other) {
    return new TextReplacement(text, template, source, variables, other);
  }

  /**
   * The {@code tokenizer.json} to save in place of that of a model folder; empty for the folder's.
   *
   * @throws DpoException if the folder's cannot be read
   */
  public Optional<byte[]> tokenizerJson(Path folder) {
    return tokenizerSource == TokenizerSource.TRANSFORMERS
        ? HuggingFaceTextTokenizer.rebuilt(folder)
        : Optional.empty();
  }

  /**
   * Reads a model folder, except for what is replaced.
   *
   * @throws DpoException if a file is missing or damaged
   */
  public ModelTokenizer read(Path folder) {
    return ModelTokenizer.load(folder, this);
  }
}
