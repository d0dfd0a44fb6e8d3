package org.dpo4j.tokenizer;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.OptionalInt;
import org.dpo4j.DpoException;
import org.dpo4j.data.BoundedJson;
import org.jspecify.annotations.Nullable;
import tools.jackson.core.JsonParser;
import tools.jackson.core.JsonToken;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ObjectNode;

/**
 * What a folder's tokenizer is made of, for other formats. The native tokenizer is not loaded.
 *
 * @param json {@code tokenizer.json} without merges, with the added tokens of all files and the ids
 *     that they have
 * @param merges of a byte pair encoding, in order
 * @param templateText the source of the chat template for conversations without tools; null for
 *     none
 * @param template renders it; null for none
 * @param special the tokens with a role
 * @param differences where ids differ from those of transformers and TRL; each says what to do
 */
public record TokenizerParts(
    JsonNode json,
    List<Merge> merges,
    @Nullable String templateText,
    @Nullable ChatRenderer template,
    SpecialTokens special,
    List<String> differences) {

  /** Two neighbours that become one. */
  public record Merge(String first, String second) {
    /** The token that they become. */
    public String joined() {
      return first + second;
    }
  }

  /**
   * Reads a model folder, except for what is replaced.
   *
   * @throws DpoException if a file is missing or damaged
   */
  public static TokenizerParts read(Path folder, TextReplacement replaced) {
    TokenizerSettings settings = TokenizerSettings.read(folder);
    SpecialTokens special = SpecialTokens.of(settings);
    Map<String, ChatTemplate> own = ModelTokenizer.ownTemplates(folder, replaced);
    ChatTemplate plain = own.get(ChatTemplate.DEFAULT);
    return HuggingFaceTextTokenizer.read(
        folder,
        settings,
        replaced.tokenizerSource(),
        (file, json, parts, tokens, used) -> {
          List<Merge> merges = new ArrayList<>();
          ObjectNode tree = BoundedJson.LENIENT.createObjectNode();
          read(json, parts, tree, merges);
          tree.set("added_tokens", tokens.json());
          List<String> replacing =
              used.rebuilds() && replaced.tokenizerSource() == TokenizerSource.FILE
                  ? RebuiltTokenizer.differences(used, parts, settings)
                  : List.of();
          return new TokenizerParts(
              tree,
              merges,
              plain == null ? replaced.source() : plain.text(),
              ModelTokenizer.renderer(own, replaced, special),
              special,
              Differences.of(parts, tokens, settings, used, replacing));
        });
  }

  /** The id of a token; empty if there is none with this text. */
  public OptionalInt id(@Nullable String token) {
    if (token == null) {
      return OptionalInt.empty();
    }
    for (JsonNode added : json.path("added_tokens")) {
      if (added.path("content").asString("").equals(token)) {
        return OptionalInt.of(added.path("id").intValue());
      }
    }
    JsonNode id = json.path("model").path("vocab").path(token);
    return id.isInt() ? OptionalInt.of(id.intValue()) : OptionalInt.empty();
  }

  /** The text of an added token; null for another id. */
  public @Nullable String addedToken(int id) {
    for (JsonNode added : json.path("added_tokens")) {
      if (added.path("id").intValue() == id) {
        return added.path("content").asString("");
      }
    }
    return null;
  }

  /** Reads all into a tree but the vocabulary, which is read already, and the merges. */
  private static void read(byte[] json, TokenizerFile parts, ObjectNode tree, List<Merge> merges) {
    try (JsonParser parser = BoundedJson.LENIENT.createParser(json)) {
      parser.nextToken();
      while (parser.nextToken() == JsonToken.PROPERTY_NAME) {
        String name = parser.currentName();
        parser.nextToken();
        if (name.equals("model") && parser.currentToken() == JsonToken.START_OBJECT) {
          ObjectNode model = tree.putObject(name);
          while (parser.nextToken() == JsonToken.PROPERTY_NAME) {
            String key = parser.currentName();
            parser.nextToken();
            if (key.equals("merges") && parser.currentToken() == JsonToken.START_ARRAY) {
              merges(parser, merges);
            } else if (key.equals("vocab") && parts.vocab() != null) {
              parser.skipChildren();
              model.set(key, parts.vocab());
            } else {
              model.set(key, parser.<JsonNode>readValueAsTree());
            }
          }
        } else {
          tree.set(name, parser.<JsonNode>readValueAsTree());
        }
      }
    }
  }

  /** Merges as pairs, or as older files write them, as one text with a blank between. */
  private static void merges(JsonParser parser, List<Merge> merges) {
    for (JsonToken token = parser.nextToken();
        token != JsonToken.END_ARRAY;
        token = parser.nextToken()) {
      if (token == JsonToken.START_ARRAY) {
        parser.nextToken();
        String first = parser.getString();
        parser.nextToken();
        merges.add(new Merge(first, parser.getString()));
        parser.nextToken();
      } else {
        String both = parser.getString();
        int gap = both.indexOf(' ', 1);
        merges.add(new Merge(both.substring(0, gap), both.substring(gap + 1)));
      }
    }
  }
}
