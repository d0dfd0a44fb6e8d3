package org.dpo4j.tokenizer;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.OptionalInt;
import org.dpo4j.DpoException;
import org.dpo4j.data.JsonFault;
import org.jspecify.annotations.Nullable;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/**
 * The tokens that a model folder gives a role to. Any role may be missing: Qwen models have no BOS,
 * and often PAD is EOS.
 *
 * @param named the texts by role, as in {@code bos_token}: what transformers gives to a chat
 *     template, roles that only one model has included
 * @param endIds the ids that end an answer when this model generates; may be empty
 */
public record SpecialTokens(Map<String, String> named, List<Integer> endIds) {
  private static final String BOS = "bos_token";
  private static final String EOS = "eos_token";
  private static final String PAD = "pad_token";
  private static final List<String> ROLES =
      List.of(BOS, EOS, "unk_token", "sep_token", PAD, "cls_token", "mask_token");

  /** What transformers assumes of these model types where their files name no token. */
  private static final Map<String, List<String>> END_OF_TEXT_ROLES =
      Map.of(
          "gpt2", List.of(BOS, EOS, "unk_token"),
          "qwen2", List.of(EOS, "unk_token", PAD),
          "qwen3", List.of(EOS, "unk_token", PAD));

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
    named.computeIfAbsent(BOS, role -> bos);
    named.computeIfAbsent(EOS, role -> eos);
    named.computeIfAbsent(PAD, role -> pad);
    return named;
  }

  /**
   * Reads {@code tokenizer_config.json}; unless that lists {@code added_tokens_decoder}, the older
   * {@code special_tokens_map.json} wins over it, as in transformers. The ids that end an answer
   * are those of {@code generation_config.json}, else of {@code config.json}. Any of the files may
   * be missing.
   *
   * @throws DpoException if one of them is not JSON
   */
  public static SpecialTokens fromModelFolder(Path folder) {
    JsonNode model = read(folder.resolve("config.json"));
    JsonNode config = read(folder.resolve("tokenizer_config.json"));
    JsonNode older =
        config.has("added_tokens_decoder")
            ? JsonMapper.shared().createObjectNode()
            : read(folder.resolve("special_tokens_map.json"));
    Map<String, String> named = new HashMap<>();
    for (String role :
        END_OF_TEXT_ROLES.getOrDefault(model.path("model_type").asString(""), List.of())) {
      named.put(role, "<|endoftext|>");
    }
    for (JsonNode file : List.of(config, older)) {
      file.forEachEntry(
          (role, token) -> {
            if (ROLES.contains(role) || (role.endsWith("_token") && text(token) != null)) {
              named.compute(role, (key, old) -> text(token));
            }
          });
      file.path("extra_special_tokens")
          .forEachEntry((role, token) -> named.compute(role, (key, old) -> text(token)));
    }
    List<Integer> endIds = ids(read(folder.resolve("generation_config.json")).path("eos_token_id"));
    return new SpecialTokens(named, endIds.isEmpty() ? ids(model.path("eos_token_id")) : endIds);
  }

  public @Nullable String bosToken() {
    return named.get(BOS);
  }

  public @Nullable String eosToken() {
    return named.get(EOS);
  }

  public @Nullable String padToken() {
    return named.get(PAD);
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

  /** A token is written as its text, or as an object with its text and flags. */
  private static @Nullable String text(JsonNode token) {
    JsonNode content = token.isObject() ? token.path("content") : token;
    return content.isString() ? content.stringValue() : null;
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

  private static JsonNode read(Path file) {
    JsonMapper mapper = JsonMapper.shared();
    if (!Files.isRegularFile(file)) {
      return mapper.createObjectNode();
    }
    try {
      return Objects.requireNonNullElseGet(mapper.readTree(file), mapper::createObjectNode);
    } catch (JacksonException e) {
      throw new DpoException(
          "[%s] must be JSON but was not: %s; copy it again from where the model came from"
              .formatted(file, JsonFault.words(e)),
          e);
    }
  }
}
