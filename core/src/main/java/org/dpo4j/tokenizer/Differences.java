package org.dpo4j.tokenizer;

import java.util.ArrayList;
import java.util.List;
import org.dpo4j.OptionText;
import tools.jackson.databind.JsonNode;

/** Describes ids that differ from the files or from transformers. */
final class Differences {

  private static final String TO_DO =
      "; for TRL's ids here, save the tokenizer in Python: AutoTokenizer.from_pretrained(\"%s\")"
          + ".save_pretrained(\"%s\")";

  private Differences() {}

  /** Whether the class that transformers uses gives some text other ids than the file. */
  static boolean inIds(TokenizerFile file, TokenizerSettings settings) {
    TokenizerClass used = TokenizerClass.of(settings);
    List<String> parts =
        used.rebuilds() ? RebuiltTokenizer.differences(used, file, settings) : List.of();
    return parts != null && !parts.isEmpty() && !parts.equals(List.of("decoder"));
  }

  /** One sentence per difference. */
  static List<String> of(
      TokenizerFile file, AddedTokens tokens, TokenizerSettings settings, TokenizerSource source) {
    List<String> found = new ArrayList<>();
    if (!tokens.misnumbered().isEmpty()) {
      found.add(
          "tokenizer.json numbers added tokens as the tokenizers library (and TRL with it) does not: "
              + String.join("; ", tokens.misnumbered())
              + "; do not use these tokens, or number them without gaps");
    }
    TokenizerClass used = TokenizerClass.of(settings);
    if (used.rebuilds() && source == TokenizerSource.FILE) {
      List<String> parts = RebuiltTokenizer.differences(used, file, settings);
      if (parts == null) {
        found.add(
            "transformers builds this tokenizer with its class %s; dpo4j uses tokenizer.json as it stands, and token ids can differ from TRL's%s"
                .formatted(used.name(), toDo(settings)));
      } else if (!parts.isEmpty()) {
        found.add(
            OptionText.of(
                "transformers builds this tokenizer with its class %s, which replaces %s of tokenizer.json; dpo4j uses the file as it stands, so %s from TRL's; pass {tokenizer_source} transformers for TRL's",
                used.name(),
                String.join(", ", parts),
                parts.equals(List.of("decoder")) ? "decoded text differs" : "token ids differ"));
      }
    }
    for (JsonNode name : settings.config().path("fast_tokenizer_files")) {
      if (!name.asString("").equals("tokenizer.json")) {
        found.add(
            "\"fast_tokenizer_files\" in tokenizer_config.json names %s, which transformers may read in place of tokenizer.json; dpo4j reads tokenizer.json%s"
                .formatted(name.asString(""), toDo(settings)));
        break;
      }
    }
    if (settings.config().path("fix_mistral_regex").asBoolean(false)
        && settings.modelType().startsWith("mi")
        && new Vocabulary(file.vocab()).size() > 100_000
        && !settings.model().path("transformers_version").asString("").matches("[5-9].*")) {
      found.add(
          "\"fix_mistral_regex\" in tokenizer_config.json has transformers replace the pre_tokenizer of tokenizer.json; dpo4j uses the file as it stands, so token ids differ from TRL's"
              + toDo(settings));
    }
    return found;
  }

  private static String toDo(TokenizerSettings settings) {
    boolean legacy = settings.config().path("legacy").asBoolean(false);
    return TO_DO.formatted(settings.folder(), settings.folder())
        + (legacy
            ? ", and put \"legacy\": true back into tokenizer_config.json, where that drops it"
            : "");
  }
}
