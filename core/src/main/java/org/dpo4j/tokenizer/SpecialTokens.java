package org.dpo4j.tokenizer;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Objects;
import java.util.OptionalInt;
import org.dpo4j.DpoException;
import org.dpo4j.data.JsonFault;
import org.jspecify.annotations.Nullable;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/**
 * The texts of the tokens that a model folder gives a role to. Any of them may be missing: Qwen
 * models have no BOS, and often PAD is EOS.
 */
public record SpecialTokens(
    @Nullable String bosToken, @Nullable String eosToken, @Nullable String padToken) {

  /**
   * Reads {@code tokenizer_config.json}, and {@code special_tokens_map.json} for what it leaves
   * out; both may be missing.
   *
   * @throws DpoException if one of them is not JSON
   */
  public static SpecialTokens fromModelFolder(Path folder) {
    JsonNode config = read(folder.resolve("tokenizer_config.json"));
    JsonNode map = read(folder.resolve("special_tokens_map.json"));
    return new SpecialTokens(
        text("bos_token", config, map),
        text("eos_token", config, map),
        text("pad_token", config, map));
  }

  /** The id of EOS, or empty if there is no EOS or the tokenizer does not know it as one token. */
  public OptionalInt eosId(TextTokenizer tokenizer) {
    if (eosToken == null) {
      return OptionalInt.empty();
    }
    int[] ids = tokenizer.encode(eosToken, false);
    return ids.length == 1 ? OptionalInt.of(ids[0]) : OptionalInt.empty();
  }

  private static @Nullable String text(String name, JsonNode config, JsonNode map) {
    JsonNode token = config.has(name) ? config.get(name) : map.path(name);
    JsonNode content = token.isObject() ? token.path("content") : token;
    return content.isString() ? content.stringValue() : null;
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
