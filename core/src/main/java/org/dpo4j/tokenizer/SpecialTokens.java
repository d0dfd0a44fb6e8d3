package org.dpo4j.tokenizer;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.OptionalInt;
import org.dpo4j.DpoException;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;

/**
 * The tokens with a role in a model folder. Any role may be missing: Qwen models have no BOS. PAD
 * is often EOS.
 *
 * @param named texts by role, as in {@code bos_token}: the variables that transformers passes to a
 *     chat template, including roles of a single model
 * @param endIds the ids that end an answer in generation; may be empty
 */
public record SpecialTokens(Map<String, String> named, List<Integer> endIds) {
  public SpecialTokens {
    named = Map.copyOf(named);
    endIds = List.copyOf(endIds);
  }

  public SpecialTokens(@Nullable String bos, @Nullable String eos, @Nullable String pad) {
    this(roles(bos, eos, pad), List.of());
  }

  private static Map<String, String> roles(
      @Nullable String bos, @Nullable String eos, @Nullable String pad) {
    Map<String, String> named = new HashMap<>();
    named.computeIfAbsent(TokenizerSettings.BOS, role -> bos);
    named.computeIfAbsent(TokenizerSettings.EOS, role -> eos);
    named.computeIfAbsent(TokenizerSettings.PAD, role -> pad);
    return named;
  }

  /**
   * Reads {@code tokenizer_config.json}; unless that lists {@code added_tokens_decoder}, the older
   * {@code special_tokens_map.json} takes precedence, as in transformers. Roles that no file names
   * have the defaults of the tokenizer's class in transformers. The ids that end an answer are
   * those of {@code generation_config.json}, else of {@code config.json}. Any of the files may be
   * missing.
   *
   * @throws DpoException if one of them is not JSON
   */
  public static SpecialTokens fromModelFolder(Path folder) {
    return of(TokenizerSettings.read(folder));
  }

  static SpecialTokens of(TokenizerSettings settings) {
    Map<String, String> named = new HashMap<>();
    settings
        .named(TokenizerClass.of(settings).defaultRoles())
        .forEach((role, token) -> named.put(role, token.content()));
    List<Integer> endIds = ids(settings.generation().path("eos_token_id"));
    return new SpecialTokens(
        named, endIds.isEmpty() ? ids(settings.model().path("eos_token_id")) : endIds);
  }

  public @Nullable String bosToken() {
    return named.get(TokenizerSettings.BOS);
  }

  public @Nullable String eosToken() {
    return named.get(TokenizerSettings.EOS);
  }

  public @Nullable String padToken() {
    return named.get(TokenizerSettings.PAD);
  }

  /** The id of BOS, or empty if there is no BOS or the tokenizer does not know it as one token. */
  public OptionalInt bosId(TextTokenizer tokenizer) {
    return id(bosToken(), tokenizer);
  }

  /** The id of EOS, or empty if there is no EOS or the tokenizer does not know it as one token. */
  public OptionalInt eosId(TextTokenizer tokenizer) {
    return id(eosToken(), tokenizer);
  }

  private static OptionalInt id(@Nullable String token, TextTokenizer tokenizer) {
    if (token == null) {
      return OptionalInt.empty();
    }
    int[] ids = tokenizer.encode(token, false);
    return ids.length == 1 ? OptionalInt.of(ids[0]) : OptionalInt.empty();
  }

  private static List<Integer> ids(JsonNode found) {
    List<Integer> ids = new ArrayList<>();
    for (JsonNode id : found.isArray() ? found : List.of(found)) {
      if (id.isInt()) {
        ids.add(id.intValue());
      }
    }
    return ids;
  }
}
