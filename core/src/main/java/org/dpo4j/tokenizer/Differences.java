package org.dpo4j.tokenizer;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.dpo4j.OptionText;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;

/** Describes ids that differ from the files or from transformers. */
final class Differences {

  private Differences() {}

  /**
   * Whether some text gets other ids where a class of transformers replaces parts of the file.
   *
   * @param replaced null if they are unknown
   */
  static boolean inIds(@Nullable List<String> replaced) {
    return replaced != null && !replaced.isEmpty() && !replaced.equals(List.of("decoder"));
  }

  /** How to make the file what transformers builds from it. */
  static String save(Path folder) {
    return "save the tokenizer in Python: AutoTokenizer.from_pretrained(\"%s\").save_pretrained(\"%s\")"
        .formatted(folder, folder);
  }

  /**
   * One sentence per difference.
   *
   * @param used the class of transformers for the file
   * @param replaced parts that it replaces; null if they are unknown
   */
  static List<String> of(
      TokenizerFile file,
      AddedTokens tokens,
      TokenizerSettings settings,
      TokenizerClass used,
      @Nullable List<String> replaced) {
    List<String> found = new ArrayList<>();
    if (!tokens.misnumbered().isEmpty()) {
      found.add(
          "tokenizer.json numbers added tokens as the tokenizers library (and TRL with it) does not: "
              + String.join("; ", tokens.misnumbered())
              + "; do not use these tokens, or number them without gaps");
    }
    if (replaced == null) {
      found.add(
          "transformers builds this tokenizer with its class %s; dpo4j uses tokenizer.json as it stands, and token ids can differ from TRL's%s"
              .formatted(used.name(), toDo(settings)));
    } else if (!replaced.isEmpty()) {
      found.add(
          OptionText.of(
              "transformers builds this tokenizer with its class %s, which replaces %s of tokenizer.json; dpo4j uses the file as it stands, so %s from TRL's; pass {tokenizer_source} transformers for TRL's",
              used.name(),
              String.join(", ", replaced),
              inIds(replaced) ? "token ids differ" : "decoded text differs"));
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
    return "; for TRL's ids here, "
        + save(settings.folder())
        + (legacy
            ? ", and put \"legacy\": true back into tokenizer_config.json, where that drops it"
            : "");
  }
}
