package org.dpo4j.tokenizer;

import java.util.ArrayList;
import java.util.Collection;
import java.util.Comparator;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.SortedMap;
import java.util.stream.Collectors;
import org.dpo4j.DpoException;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ArrayNode;

/**
 * The added tokens of a tokenizer with their ids, numbered as the tokenizers library numbers them:
 * a token of the vocabulary keeps its id, any other gets the next free one, regardless of the id in
 * the file.
 */
final class AddedTokens {

  /** A token and its id. */
  record Numbered(int id, AddedToken token) {}

  private final Vocabulary vocabulary;
  private final Map<String, Numbered> byContent = new LinkedHashMap<>();
  private final List<String> misnumbered = new ArrayList<>();
  private int largest = -1;
  private boolean changed;

  private AddedTokens(Vocabulary vocabulary) {
    this.vocabulary = vocabulary;
  }

  /**
   * The tokens of {@code tokenizer.json} and of the files beside it.
   *
   * @throws DpoException if a token cannot have the id that a file states
   */
  static AddedTokens of(TokenizerFile file, TokenizerSettings settings) {
    AddedTokens tokens = new AddedTokens(new Vocabulary(file.vocab()));
    Map<String, AddedToken> named = settings.named(Map.of());
    Set<String> roles = contents(named.values());
    if (file.added_tokens() != null) {
      for (JsonNode node : file.added_tokens()) {
        AddedToken token = AddedToken.read(node, false);
        if (token == null || !node.path("id").isInt()) {
          throw new IllegalArgumentException(
              "\"added_tokens\" must list tokens with their ids but has " + node);
        }
        Numbered given = tokens.add(token);
        if (given != null && given.id() != node.path("id").intValue()) {
          tokens.misnumbered.add(
              "\"%s\" has the id %d there but %d in the library"
                  .formatted(token.content(), node.path("id").intValue(), given.id()));
        }
      }
    }
    settings
        .numbered()
        .forEach(
            (id, token) -> {
              Numbered known = tokens.byContent.get(token.content());
              if (known == null || (settings.numberedFlagsWin() && !known.token().equals(token))) {
                boolean role = roles.contains(token.content());
                known = tokens.add(role ? token.asSpecial() : token);
                tokens.changed = true;
              }
              tokens.require(settings.numberedOrigin(), id, known);
            });
    List<AddedToken> specials = new ArrayList<>(named.values());
    specials.addAll(settings.extra());
    for (AddedToken token : specials) {
      if (!tokens.byContent.containsKey(token.content()) && !token.content().isEmpty()) {
        tokens.add(token.asSpecial());
        tokens.changed = true;
      }
    }
    return tokens;
  }

  /**
   * The tokens of a tokenizer class that rebuilds the tokenizer: those that the files list, or else
   * those of {@code tokenizer.json}, and those with a role, numbered in the order of their ids.
   */
  static AddedTokens rebuilt(
      TokenizerFile file, TokenizerSettings settings, TokenizerClass rebuilding) {
    SortedMap<Integer, AddedToken> listed = settings.numbered();
    if (!settings.numberedFlagsWin() && file.added_tokens() != null) {
      for (JsonNode node : file.added_tokens()) {
        AddedToken token = AddedToken.read(node, false);
        if (token != null) {
          listed.put(node.path("id").asInt(-1), token);
        }
      }
    }
    AddedTokens tokens = new AddedTokens(new Vocabulary(file.vocab()));
    Map<String, AddedToken> named = settings.named(rebuilding.defaultRoles());
    Set<String> roles = contents(named.values());
    for (AddedToken token : listed.values()) {
      tokens.add(roles.contains(token.content()) ? token.asSpecial() : token);
    }
    List<AddedToken> specials = new ArrayList<>(named.values());
    specials.addAll(settings.extra());
    for (AddedToken token : specials) {
      if (rebuilding.plainSpecials()) {
        tokens.add(AddedToken.special(token.content()));
      } else if (!tokens.byContent.containsKey(token.content())) {
        tokens.add(token.asSpecial());
      }
    }
    return tokens;
  }

  private static Set<String> contents(Collection<AddedToken> tokens) {
    return tokens.stream().map(AddedToken::content).collect(Collectors.toSet());
  }

  private void require(String origin, int id, @Nullable Numbered given) {
    if (given != null && given.id() != id) {
      String holder = holder(id);
      throw new DpoException(
          ("%s gives the token \"%s\" the id %d, but the tokenizers library gives it %d%s; make the"
                  + " tokenizer's files agree: copy them again from where the model came from, or"
                  + " save them with transformers' save_pretrained")
              .formatted(
                  origin,
                  given.token().content(),
                  id,
                  given.id(),
                  holder == null
                      ? ""
                      : " because \"" + holder + "\" has " + id + " in tokenizer.json"));
    }
  }

  private @Nullable String holder(int id) {
    return byContent.values().stream()
        .filter(token -> token.id() == id)
        .map(token -> token.token().content())
        .findFirst()
        .orElseGet(() -> vocabulary.content(id));
  }

  private @Nullable Numbered add(AddedToken token) {
    if (token.content().isEmpty()) {
      return null; // the library skips it
    }
    Numbered known = byContent.get(token.content());
    Integer inVocabulary = vocabulary.id(token.content());
    int next = largest >= vocabulary.size() ? largest + 1 : vocabulary.size();
    int id = known != null ? known.id() : inVocabulary != null ? inVocabulary : next;
    Numbered numbered = new Numbered(id, token);
    byContent.put(token.content(), numbered);
    largest = Math.max(largest, id);
    return numbered;
  }

  /** Whether a token is missing in {@code tokenizer.json} or different there. */
  boolean changed() {
    return changed;
  }

  /** Ids in {@code tokenizer.json} that differ from those of the library. */
  List<String> misnumbered() {
    return misnumbered;
  }

  /** As {@code tokenizer.json} lists them. */
  ArrayNode json() {
    ArrayNode array = JsonMapper.shared().createArrayNode();
    byContent.values().stream()
        .sorted(Comparator.comparingInt(Numbered::id))
        .forEach(token -> array.add(token.token().json(token.id())));
    return array;
  }

  /** By content, with ids and flags. */
  Map<String, Numbered> byContent() {
    return byContent;
  }

  Vocabulary vocabulary() {
    return vocabulary;
  }

  /** Ids by content. */
  Map<String, Integer> ids() {
    Map<String, Integer> ids = new HashMap<>();
    byContent.forEach((content, token) -> ids.put(content, token.id()));
    return ids;
  }

  /** One more than the largest id, pieces of the vocabulary included. */
  int idBound() {
    return Math.max(largest + 1, vocabulary.idBound());
  }
}
