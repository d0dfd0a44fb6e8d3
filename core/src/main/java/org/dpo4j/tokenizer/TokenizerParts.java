package org.dpo4j.tokenizer;

import java.nio.file.Path;
import java.util.Optional;
import org.dpo4j.DpoException;
import org.dpo4j.data.BoundedJson;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;

/**
 * What a folder's tokenizer is made of, for other formats.
 *
 * @param json {@code tokenizer.json} with the added tokens of all files and the ids that they have
 * @param template the source of the chat template for conversations without tools; null for none
 */
public record TokenizerParts(JsonNode json, @Nullable String template) {

  /**
   * Reads a model folder, except for what is replaced.
   *
   * @throws DpoException if a file is missing or damaged
   */
  public static TokenizerParts read(Path folder, TextReplacement replaced) {
    byte[] json = HuggingFaceTextTokenizer.json(folder, replaced.tokenizerSource());
    String template =
        replaced.source() != null
            ? replaced.source()
            : Optional.ofNullable(ChatTemplate.fromModelFolder(folder).get(ChatTemplate.DEFAULT))
                .map(ChatTemplate::text)
                .orElse(null);
    return new TokenizerParts(BoundedJson.LENIENT.readTree(json), template);
  }
}
