package org.dpo4j.gguf;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import tools.jackson.databind.JsonNode;

/**
 * How text is split before byte pairs are merged: llama.cpp knows a number of ways by name, in
 * {@code tokenizer.ggml.pre}.
 */
final class PreTokenizers {

  private static final String CONTRACTIONS = "(?i:'s|'t|'re|'ve|'m|'ll|'d)";
  private static final String LATE =
      "| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";
  private static final String WORD = "|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+";
  private static final String UPPER = "[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]";
  private static final String LOWER = "[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]";
  private static final String BEFORE_WORD = "[^\\r\\n\\p{L}\\p{N}]?";

  /** The steps {@code ByteLevel} with the expression of GPT-2, and {@code Digits}. */
  private static final String GPT2 = "gpt2";

  private static final String DIGITS = "digits";

  private record Name(String whenMerging, String whenWhole) {}

  /** By steps. The second name is for tokenizers that take a word of the vocabulary as a whole. */
  private static final Map<List<String>, Name> NAMES =
      Map.of(
          List.of(GPT2),
          new Name("gpt-2", ""),
          List.of(DIGITS, GPT2),
          new Name("smollm", ""),
          List.of(CONTRACTIONS + WORD + "|\\p{N}" + LATE),
          new Name("qwen2", ""),
          List.of(CONTRACTIONS + WORD + "|\\p{N}{1,3}" + LATE),
          new Name("dbrx", "llama-bpe"),
          List.of(cased("", "|\\p{N}")),
          new Name("", "tekken"),
          List.of(cased(CONTRACTIONS + "?", "|\\p{N}{1,3}")),
          new Name("gpt-4o", ""));

  /** Words with capital letters first, or nothing but capital letters. */
  private static String cased(String afterWord, String numbers) {
    return BEFORE_WORD
        + UPPER
        + "*"
        + LOWER
        + "+"
        + afterWord
        + "|"
        + BEFORE_WORD
        + UPPER
        + "+"
        + LOWER
        + "*"
        + afterWord
        + numbers
        + "| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";
  }

  private PreTokenizers() {}

  /**
   * The name of llama.cpp.
   *
   * @param preTokenizer of {@code tokenizer.json}
   * @param whole whether a word of the vocabulary is taken as it is ({@code ignore_merges})
   * @return empty if there is none with the same pieces
   */
  static Optional<String> name(JsonNode preTokenizer, boolean whole) {
    List<String> steps = new ArrayList<>();
    if (!collect(preTokenizer, steps)) {
      return Optional.empty();
    }
    return Optional.ofNullable(NAMES.get(steps))
        .map(name -> whole ? name.whenWhole() : name.whenMerging())
        .filter(name -> !name.isEmpty());
  }

  /** Adds the steps of a pre-tokenizer; returns false for one that is not known. */
  private static boolean collect(JsonNode node, List<String> steps) {
    switch (node.path("type").asString("")) {
      case "Sequence" -> {
        for (JsonNode part : node.path("pretokenizers")) {
          if (!collect(part, steps)) {
            return false;
          }
        }
        return true;
      }
      case "ByteLevel" -> {
        if (node.path("use_regex").asBoolean(true)) {
          steps.add(GPT2);
        }
        return !node.path("add_prefix_space").asBoolean(true);
      }
      case "Digits" -> {
        steps.add(DIGITS);
        return node.path("individual_digits").asBoolean(false);
      }
      case "Split" -> {
        steps.add(node.path("pattern").path("Regex").asString(""));
        return node.path("behavior").asString("").equals("Isolated")
            && !node.path("invert").asBoolean(false);
      }
      default -> {
        return false;
      }
    }
  }
}
