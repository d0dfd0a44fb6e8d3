package org.dpo4j.encode;

import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.OptionalInt;
import java.util.Set;
import java.util.stream.Stream;
import org.dpo4j.DpoException;
import org.dpo4j.Message;
import org.dpo4j.data.BadRowException;
import org.dpo4j.data.PreferencePair;
import org.dpo4j.data.RowOrigin;
import org.dpo4j.encode.EncodedRow.Lengths;
import org.dpo4j.encode.EncodedRow.Status;
import org.dpo4j.tokenizer.ChatRenderer;
import org.dpo4j.tokenizer.ModelTokenizer;
import org.dpo4j.tokenizer.SpecialTokens;
import org.dpo4j.tokenizer.TextTokenizer;
import org.jspecify.annotations.Nullable;

/**
 * Turns a preference pair into token ids by the rules of TRL 1.16 ({@code DPOTrainer} with {@code
 * truncation_mode="keep_start"}). Safe for use by several threads.
 *
 * <ul>
 *   <li>Text: EOS is added to a completion that does not end in it, and the tokenizer adds its own
 *       special tokens. Conversations: the chat template adds both; the prompt is rendered with the
 *       header of the assistant's turn.
 *   <li>Boundary: prompt, prompt with chosen and prompt with rejected are tokenized. Both
 *       completions start where either of the other two first differs from the prompt.
 *   <li>Each side keeps its first {@code maxLength} ids. A pair is dropped if the prompt alone
 *       fills them, or if truncation makes both sides identical.
 * </ul>
 */
public final class PairEncoder {
  public static final String PROMPT_TOO_LONG = "prompt alone reaches max_length";
  public static final String SAME_AFTER_CUT = "chosen and rejected identical after the cut";
  public static final String CUT = "completion cut by max_length";

  private final TextTokenizer tokenizer;
  private final @Nullable ChatRenderer template;
  private final SpecialTokens specialTokens;
  private final EncodingLimits limits;
  private final OptionalInt eosId;
  private final TokenizationWarnings tokenizationWarnings;

  /** An encoder with a model folder's tokenizer, chat template and special tokens. */
  public static PairEncoder of(ModelTokenizer tokenizer, EncodingLimits limits) {
    return new PairEncoder(
        tokenizer.text(), tokenizer.template(), tokenizer.specialTokens(), limits);
  }

  /**
   * @param template the model's chat template, or null if it has none; rows of messages then end
   *     the run
   */
  public PairEncoder(
      TextTokenizer tokenizer,
      @Nullable ChatRenderer template,
      SpecialTokens specialTokens,
      EncodingLimits limits) {
    this.tokenizer = tokenizer;
    this.template = template;
    this.specialTokens = specialTokens;
    this.limits = limits;
    this.eosId = specialTokens.eosId(tokenizer);
    this.tokenizationWarnings = new TokenizationWarnings(tokenizer, specialTokens, eosId);
  }

  /** The beginning-of-sequence id; -1 if the tokenizer has none. */
  public int bos() {
    return specialTokens.bosId(tokenizer).orElse(-1);
  }

  /**
   * @throws BadRowException if the row cannot be a training pair for this model
   * @throws DpoException if the model folder lacks a file or token that every row of this kind
   *     needs
   */
  public EncodedRow encode(PreferencePair pair) {
    EncodedRow row = encodeSides(pair);
    return pair.weight().isPresent() ? row.weighing(pair.weight().getAsDouble()) : row;
  }

  private EncodedRow encodeSides(PreferencePair pair) {
    if (pair instanceof PreferencePair.Text text) {
      return encodeText(text);
    } else if (pair instanceof PreferencePair.Chat chat) {
      return encodeChat(chat);
    }
    return encodeIds((PreferencePair.Ids) pair);
  }

  private EncodedRow encodeText(PreferencePair.Text pair) {
    String eos = specialTokens.eosToken();
    if (eos == null || eosId.isEmpty()) {
      throw new DpoException(
          "%s plain text must end in EOS but %s; set \"eos_token\" in tokenizer_config.json"
              .formatted(
                  pair.origin(),
                  eos == null
                      ? "the model folder names none"
                      : "\"" + eos + "\" is not one token of tokenizer.json"));
    }
    RenderedTexts texts =
        new RenderedTexts(
            pair.prompt(), endingIn(eos, pair.chosen()), endingIn(eos, pair.rejected()));
    return encodeTexts(
        pair.origin(),
        texts.prompt(),
        texts.prompt() + texts.chosen(),
        texts.prompt() + texts.rejected(),
        true,
        texts,
        RowDoubts.of(pair));
  }

  static String endingIn(String eos, String completion) {
    return completion.endsWith(eos) ? completion : completion + eos;
  }

  private EncodedRow encodeChat(PreferencePair.Chat pair) {
    String prompt = render(pair, List.of(), true);
    String chosen = render(pair, pair.chosen(), false);
    String rejected = render(pair, pair.rejected(), false);
    int shared = Math.min(commonPrefix(prompt, chosen), commonPrefix(prompt, rejected));
    return encodeTexts(
        pair.origin(),
        prompt,
        chosen,
        rejected,
        false,
        new RenderedTexts(
            prompt.substring(0, shared), chosen.substring(shared), rejected.substring(shared)),
        RowDoubts.of(pair, prompt, chosen, rejected, this::rendered));
  }

  /** Renders for a comparison; a template that refuses counts as a difference. */
  private String rendered(List<Message> turns, Map<String, @Nullable Object> variables) {
    try {
      return Objects.requireNonNull(template).render(turns, false, variables);
    } catch (DpoException e) {
      return "";
    }
  }

  private String render(PreferencePair.Chat pair, List<Message> completion, boolean header) {
    if (template == null) {
      throw new DpoException(
          ("%s messages need a chat template but the model folder has none;"
                  + " add chat_template.jinja to it, or write prompt, chosen and rejected as text")
              .formatted(pair.origin()));
    }
    try {
      return template.render(
          Stream.concat(pair.prompt().stream(), completion.stream()).toList(),
          header,
          pair.templateVariables());
    } catch (DpoException e) {
      throw new BadRowException(
          pair.origin(), "refused by the chat template", String.valueOf(e.getMessage()));
    }
  }

  private EncodedRow encodeTexts(
      RowOrigin origin,
      String promptText,
      String chosenText,
      String rejectedText,
      boolean addSpecialTokens,
      RenderedTexts texts,
      Set<String> doubts) {
    int[] prompt = tokenizer.encode(promptText, addSpecialTokens);
    int[] chosen = tokenizer.encode(chosenText, addSpecialTokens);
    int[] rejected = tokenizer.encode(rejectedText, addSpecialTokens);
    int boundary = Math.min(commonPrefix(prompt, chosen), commonPrefix(prompt, rejected));
    EncodedPair pair =
        new EncodedPair(
            origin,
            Arrays.copyOf(prompt, boundary),
            Arrays.copyOfRange(chosen, boundary, chosen.length),
            Arrays.copyOfRange(rejected, boundary, rejected.length));
    OptionalInt outOfRange = idOutOfRange(pair);
    if (outOfRange.isPresent()) {
      throw new DpoException(
          ("%s the tokenizer's ids must be below the model's vocabulary of %d but \"%s\" has %d;"
                  + " the tokenizer's files belong to another model, or the model lacks the row for"
                  + " a token that was added")
              .formatted(
                  origin,
                  limits.vocabSize(),
                  tokenizer.decode(new int[] {outOfRange.getAsInt()}),
                  outOfRange.getAsInt()));
    }
    List<Integer> unmatched = Arrays.stream(prompt, boundary, prompt.length).boxed().toList();
    if (!unmatched.isEmpty()
        && !doubts.contains(RowDoubts.LOST_HEADER)
        && !doubts.contains(RowDoubts.OTHER_TURN)) {
      doubts.add(RowDoubts.CROSSING_TOKEN);
    }
    return finish(pair, texts, unmatched, doubts, !addSpecialTokens);
  }

  private EncodedRow encodeIds(PreferencePair.Ids ids) {
    EncodedPair pair =
        new EncodedPair(
            ids.origin(), array(ids.prompt()), array(ids.chosen()), array(ids.rejected()));
    OptionalInt outOfRange = idOutOfRange(pair);
    if (outOfRange.isPresent()) {
      throw new BadRowException(
          pair.origin(),
          "token id out of range",
          "ids must be from 0 to %d but one is %d"
              .formatted(limits.vocabSize() - 1, outOfRange.getAsInt()));
    }
    RenderedTexts texts =
        new RenderedTexts(
            tokenizer.decode(pair.promptIds()),
            tokenizer.decode(pair.chosenIds()),
            tokenizer.decode(pair.rejectedIds()));
    return finish(pair, texts, List.of(), Set.of(), false);
  }

  private EncodedRow finish(
      EncodedPair pair,
      RenderedTexts texts,
      List<Integer> unmatched,
      Set<String> doubts,
      boolean rendered) {
    RowOrigin origin = pair.origin();
    if (pair.chosenIds().length == 0 || pair.rejectedIds().length == 0) {
      throw new BadRowException(
          origin,
          pair.chosenIds().length == 0 ? "empty chosen" : "empty rejected",
          "no token is left after encoding");
    }
    if (pair.promptIds().length == 0
        && Math.min(pair.chosenIds().length, pair.rejectedIds().length) == 1) {
      throw new BadRowException(
          origin,
          "nothing to score",
          "the prompt has no token and a completion only one, which nothing predicts; give the row a"
              + " prompt");
    }
    if (Arrays.equals(pair.chosenIds(), pair.rejectedIds())) {
      throw new BadRowException(
          origin, "identical chosen and rejected", "both sides have the same token ids");
    }
    Lengths uncut = Lengths.of(pair);
    int prompt = pair.promptIds().length;
    int longest = prompt + Math.max(pair.chosenIds().length, pair.rejectedIds().length);
    if (!limits.cuts() && longest > limits.maxPositions()) {
      throw new BadRowException(
          origin,
          "longer than the model's positions",
          "the row has %d tokens, the model %d positions; set max_length to cut"
              .formatted(longest, limits.maxPositions()));
    }
    Set<String> warnings = tokenizationWarnings.of(pair);
    warnings.addAll(doubts);
    // The template writes this after every answer, so no row can change it.
    Set<String> notes =
        rendered && warnings.remove(TokenizationWarnings.AFTER_EOS)
            ? Set.of(TokenizationWarnings.TEMPLATE_AFTER_EOS)
            : Set.of();
    Status status = Status.KEPT;
    String reason = "";
    @Nullable EncodedPair used = pair;
    if (limits.cuts() && longest > limits.maxLength()) {
      if (prompt >= limits.maxLength()) {
        status = Status.DROPPED;
        reason = PROMPT_TOO_LONG;
        used = null;
      } else {
        status = Status.CUT;
        reason = CUT;
        used =
            new EncodedPair(
                origin,
                pair.promptIds(),
                first(pair.chosenIds(), limits.maxLength() - prompt),
                first(pair.rejectedIds(), limits.maxLength() - prompt));
        if (Arrays.equals(used.chosenIds(), used.rejectedIds())) {
          status = Status.DROPPED;
          reason = SAME_AFTER_CUT;
          used = null;
        }
      }
    }
    return new EncodedRow(origin, status, reason, used, uncut, texts, unmatched, warnings, notes);
  }

  private OptionalInt idOutOfRange(EncodedPair pair) {
    return Stream.of(pair.promptIds(), pair.chosenIds(), pair.rejectedIds())
        .flatMapToInt(Arrays::stream)
        .filter(id -> id < 0 || id >= limits.vocabSize())
        .findFirst();
  }

  private static int[] array(List<Integer> ids) {
    return ids.stream().mapToInt(Integer::intValue).toArray();
  }

  private static int[] first(int[] ids, int count) {
    return ids.length <= count ? ids : Arrays.copyOf(ids, count);
  }

  static int commonPrefix(int[] a, int[] b) {
    int mismatch = Arrays.mismatch(a, b);
    return mismatch < 0 ? a.length : mismatch;
  }

  /** In UTF-16 units, never inside a surrogate pair. */
  private static int commonPrefix(String a, String b) {
    int at = 0;
    while (at < a.length() && at < b.length() && a.codePointAt(at) == b.codePointAt(at)) {
      at += Character.charCount(a.codePointAt(at));
    }
    return at;
  }
}
