package org.dpo4j.tokenizer;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import java.util.SortedMap;
import java.util.TreeMap;
import org.dpo4j.DpoException;
import org.dpo4j.data.BoundedJson;
import org.dpo4j.data.FileFailure;
import org.dpo4j.data.JsonFault;
import org.dpo4j.options.BoundedFile;
import org.dpo4j.options.Limit;
import org.jspecify.annotations.Nullable;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/**
 * The settings of tokens in the files beside {@code tokenizer.json}, read as {@code
 * AutoTokenizer.from_pretrained} of transformers 5.23 reads them. Where {@code
 * tokenizer_config.json} lists {@code added_tokens_decoder}, the older {@code
 * special_tokens_map.json} and {@code added_tokens.json} are not read. Any file may be missing.
 */
record TokenizerSettings(
    Path folder,
    JsonNode model,
    JsonNode generation,
    JsonNode config,
    JsonNode olderRoles,
    JsonNode olderAdded) {
  static final String CONFIG_FILE = "tokenizer_config.json";
  private static final String ROLES_FILE = "special_tokens_map.json";
  private static final String ADDED_FILE = "added_tokens.json";
  private static final String DECODER = "added_tokens_decoder";
  private static final String EXTRA = "extra_special_tokens";
  private static final String ADDITIONAL = "additional_special_tokens";

  static final String BOS = "bos_token";
  static final String EOS = "eos_token";
  static final String UNK = "unk_token";
  static final String PAD = "pad_token";
  static final List<String> ROLES =
      List.of(BOS, EOS, UNK, "sep_token", PAD, "cls_token", "mask_token");

  /**
   * Reads a model folder.
   *
   * @throws DpoException if a file is not a JSON object, or has a setting that is not supported
   */
  static TokenizerSettings read(Path folder) {
    JsonNode config = object(folder.resolve(CONFIG_FILE));
    boolean older = !config.has(DECODER);
    TokenizerSettings settings =
        new TokenizerSettings(
            folder,
            object(folder.resolve("config.json")),
            object(folder.resolve("generation_config.json")),
            config,
            object(older ? folder.resolve(ROLES_FILE) : null),
            object(older ? folder.resolve(ADDED_FILE) : null));
    if (config.path("split_special_tokens").asBoolean(false)) {
      throw new DpoException(
          ("[%s] \"split_special_tokens\" must be false but is true: every special token of the"
                  + " chat template would be cut into pieces; remove the key")
              .formatted(folder.resolve(CONFIG_FILE)));
    }
    return settings;
  }

  String modelType() {
    return model.path("model_type").asString("");
  }

  /** The tokens by role, including roles of a single model. */
  Map<String, AddedToken> named(Map<String, String> defaults) {
    Map<String, AddedToken> named = new LinkedHashMap<>();
    defaults.forEach((role, content) -> named.put(role, AddedToken.special(content)));
    for (JsonNode file : List.of(config, olderRoles)) {
      file.forEachEntry(
          (role, token) -> {
            AddedToken read = AddedToken.read(token, true);
            if (ROLES.contains(role) || (role.endsWith("_token") && read != null)) {
              named.compute(role, (key, old) -> read); // a null is no token with that role
            }
          });
      if (file.path(EXTRA).isObject()) {
        file.path(EXTRA)
            .forEachEntry(
                (role, token) -> named.compute(role, (key, old) -> AddedToken.read(token, true)));
      }
    }
    return named;
  }

  /** Special tokens without a role of their own. */
  List<AddedToken> extra() {
    Map<String, AddedToken> extra = new LinkedHashMap<>();
    JsonNode first = config.path(EXTRA);
    JsonNode own = first.isEmpty() ? config.path(ADDITIONAL) : first;
    List<JsonNode> lists = new ArrayList<>(List.of(own, olderRoles.path(EXTRA)));
    if (!config.has(EXTRA) && !config.has(ADDITIONAL) && !olderRoles.has(EXTRA)) {
      lists.add(olderRoles.path(ADDITIONAL));
    }
    for (JsonNode list : lists) {
      if (list.isArray()) {
        for (JsonNode token : list) {
          AddedToken read = AddedToken.read(token, true);
          if (read != null) {
            extra.putIfAbsent(read.content(), read);
          }
        }
      }
    }
    return List.copyOf(extra.values());
  }

  /** The tokens listed with ids. */
  SortedMap<Integer, AddedToken> numbered() {
    SortedMap<Integer, AddedToken> tokens = new TreeMap<>();
    config
        .path(DECODER)
        .forEachEntry(
            (id, token) -> {
              AddedToken read = AddedToken.read(token, false);
              if (read == null || !id.matches("\\d{1,9}")) {
                throw new DpoException(
                    ("[%s] %s must map ids to tokens but has \"%s\": %s; copy the file again from"
                            + " where the model came from")
                        .formatted(folder.resolve(CONFIG_FILE), DECODER, id, token));
              }
              tokens.put(Integer.valueOf(id), read);
            });
    Set<String> specials = new HashSet<>();
    named(Map.of()).forEach((role, token) -> specials.add(token.content()));
    extra().forEach(token -> specials.add(token.content()));
    olderAdded.forEachEntry(
        (content, id) -> {
          if (!id.isInt() || id.intValue() < 0) {
            throw new DpoException(
                ("[%s] must map tokens to ids but has \"%s\": %s; copy the file again from where"
                        + " the model came from")
                    .formatted(folder.resolve(ADDED_FILE), content, id));
          }
          boolean special = specials.contains(content);
          tokens.put(
              id.intValue(), new AddedToken(content, false, false, false, !special, special));
        });
    return tokens;
  }

  /** The source of {@link #numbered}, for messages. */
  String numberedOrigin() {
    return config.has(DECODER)
        ? "[" + folder.resolve(CONFIG_FILE) + "] " + DECODER
        : "[" + folder.resolve(ADDED_FILE) + "]";
  }

  /** Whether flags of {@link #numbered} take precedence over those in {@code tokenizer.json}. */
  boolean numberedFlagsWin() {
    return config.has(DECODER);
  }

  /** The text under a key of {@code tokenizer_config.json}. */
  Optional<String> text(String key) {
    return text(config.path(key));
  }

  static Optional<String> text(JsonNode node) {
    return node.isString() ? Optional.of(node.stringValue()) : Optional.empty();
  }

  private static JsonNode object(@Nullable Path file) {
    JsonMapper mapper = BoundedJson.LENIENT;
    if (file == null || !Files.isRegularFile(file)) {
      return mapper.createObjectNode();
    }
    try {
      return Objects.requireNonNullElseGet(
          mapper.readTree(BoundedFile.bytes(file, Limit.CONFIG_BYTES)), mapper::createObjectNode);
    } catch (IOException e) {
      throw new DpoException(
          "[%s] cannot be read: %s".formatted(file, FileFailure.reason(e, file)), e);
    } catch (JacksonException e) {
      throw new DpoException(
          "[%s] must be JSON but was not: %s; copy it again from where the model came from"
              .formatted(file, JsonFault.words(e)),
          e);
    }
  }
}
