package org.dpo4j.gguf;

import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.dpo4j.tokenizer.TokenizerParts;

/** The description of a model for {@code ollama create}. */
final class OllamaModelfile {

  /** Ends a text of several lines, which cannot contain it. */
  private static final String QUOTES = "\"\"\"";

  private OllamaModelfile() {}

  /**
   * The file's text.
   *
   * @param model name of the model's file in the same folder
   * @param adapter name of the adapter's file in the same folder; empty for none
   * @param endIds ids that end an answer
   */
  static String text(
      String model, Optional<String> adapter, TokenizerParts tokenizer, List<Integer> endIds) {
    List<String> lines = new ArrayList<>();
    lines.add("FROM ./" + model);
    adapter.ifPresent(file -> lines.add("ADAPTER ./" + file));
    Optional<OllamaTemplate> template = template(tokenizer);
    template.ifPresentOrElse(
        found -> {
          lines.add("TEMPLATE " + QUOTES + found.text() + QUOTES);
          if (found.system() != null && !found.system().isEmpty()) {
            lines.add("SYSTEM " + QUOTES + found.system() + QUOTES);
          }
        },
        () ->
            lines.add(
                tokenizer.template() == null
                    ? "# The model has no chat template."
                    : "# The model's chat template has no form in Ollama's language; see TEMPLATE in its documentation."));
    for (int id : endIds) {
      String text = tokenizer.addedToken(id);
      if (text != null) {
        lines.add(
            text.contains("\"") || text.contains("\n")
                ? "# The token %d ends an answer; its text has no form here.".formatted(id)
                : "PARAMETER stop \"" + text + "\"");
      }
    }
    return String.join("\n", lines) + "\n";
  }

  private static Optional<OllamaTemplate> template(TokenizerParts tokenizer) {
    if (tokenizer.template() == null) {
      return Optional.empty();
    }
    String bos = tokenizer.special().bosToken();
    return OllamaTemplate.of(tokenizer.template(), bos == null ? "" : bos)
        .filter(
            found ->
                isQuotable(found.text()) && (found.system() == null || isQuotable(found.system())));
  }

  /** Whether a text between three quotation marks is read as it is. */
  private static boolean isQuotable(String text) {
    return !text.contains(QUOTES) && !text.startsWith("\"") && !text.endsWith("\"");
  }
}
