package org.dpo4j.encode;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.BitSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.OptionalInt;
import java.util.Set;
import java.util.function.Supplier;
import java.util.stream.Stream;
import org.dpo4j.DpoException;
import org.dpo4j.Message;
import org.dpo4j.OptionText;
import org.dpo4j.UsageException;
import org.dpo4j.data.BadRowException;
import org.dpo4j.data.Example;
import org.dpo4j.data.RowOrigin;
import org.dpo4j.encode.EncodedRow.Lengths;
import org.dpo4j.encode.EncodedRow.Status;
import org.dpo4j.tokenizer.ChatRenderer;
import org.dpo4j.tokenizer.ChatRenderer.MarkedText;
import org.dpo4j.tokenizer.ModelTokenizer;
import org.dpo4j.tokenizer.SpecialTokens;
import org.dpo4j.tokenizer.TextTokenizer;
import org.jspecify.annotations.Nullable;

/**
 * Turns an example into token ids by the rules of TRL 1.16 ({@code DPOTrainer} and {@code
 * KTOTrainer}). Safe for use by several threads.
 *
 * <ul>
 *   <li>Text: EOS is added to a completion that does not end in it, and the tokenizer adds its own
 *       special tokens. Conversations: the chat template adds both; the prompt is rendered with the
 *       header of the assistant's turn.
 *   <li>Boundary: the prompt alone and the prompt with each completion are tokenized. All
 *       completions start where one of these texts first differs from the prompt.
 *   <li>The prompt and one completion keep their first {@code maxLength} ids together. An example
 *       is dropped if the prompt alone fills them, or if truncation makes both sides of a pair
 *       identical. {@link #truncating} keeps the last ids instead, and drops no prompt.
 * </ul>
 */
public final class ExampleEncoder {

  /**
   * Which tokens of a demonstration are learned.
   *
   * @param prompt whether the prompt is learned too
   * @param assistantOnly whether only what the chat template marks as the assistant's is learned
   */
  public record Scoring(boolean prompt, boolean assistantOnly) {

    /** The whole completion and nothing else. */
    public static final Scoring COMPLETION = new Scoring(false, false);
  }

  public static final String PROMPT_TOO_LONG = "prompt alone reaches max_length";
  public static final String SAME_AFTER_CUT = "chosen and rejected identical after the cut";
  public static final String NOTHING_LEFT = "no token to learn after the cut";
  public static final String CUT = "completion cut by max_length";
  public static final String START_CUT = "beginning cut by max_length";
  private static final String ASSISTANT_ONLY = "assistant_only_loss";

  private final TextTokenizer tokenizer;
  private final @Nullable ChatRenderer template;
  private final SpecialTokens specialTokens;
  private final EncodingLimits limits;
  private final OptionalInt eosId;
  private final TokenizationWarnings tokenizationWarnings;
  private final LongRows longRows;
  private final Scoring scoring;

  /** What happens to rows that are longer than the limit. */
  private enum LongRows {
    /** They are cut, or dropped where nothing to learn would remain. */
    CUT,
    /** They lose their first ids. */
    START_CUT,
    /** They are dropped and counted as if they were cut, but those that remain stay whole. */
    CUT_LATER,
    /** They are neither cut nor dropped. */
    KEPT
  }

  /** An encoder with a model folder's tokenizer, chat template and special tokens. */
  public static ExampleEncoder of(ModelTokenizer tokenizer, EncodingLimits limits) {
    return new ExampleEncoder(
        tokenizer.text(), tokenizer.template(), tokenizer.specialTokens(), limits);
  }

  /**
   * @param template the model's chat template, or null if it has none; rows of messages then end
   *     the run
   */
  public ExampleEncoder(
      TextTokenizer tokenizer,
      @Nullable ChatRenderer template,
      SpecialTokens specialTokens,
      EncodingLimits limits) {
    this(tokenizer, template, specialTokens, limits, LongRows.CUT, Scoring.COMPLETION);
  }

  private ExampleEncoder(
      TextTokenizer tokenizer,
      @Nullable ChatRenderer template,
      SpecialTokens specialTokens,
      EncodingLimits limits,
      LongRows longRows,
      Scoring scoring) {
    this.tokenizer = tokenizer;
    this.template = template;
    this.specialTokens = specialTokens;
    this.limits = limits;
    this.longRows = longRows;
    this.scoring = scoring;
    this.eosId = specialTokens.eosId(tokenizer);
    this.tokenizationWarnings = new TokenizationWarnings(tokenizer, specialTokens, eosId);
  }

  /** An encoder that keeps the first or the last ids of long rows. */
  public ExampleEncoder truncating(TruncationMode mode) {
    LongRows cut = mode == TruncationMode.KEEP_END ? LongRows.START_CUT : LongRows.CUT;
    return new ExampleEncoder(tokenizer, template, specialTokens, limits, cut, scoring);
  }

  /**
   * An encoder that leaves completions uncut, for {@link EncodedExamples#mismatched}: how much of a
   * completion remains depends on the prompt that it follows.
   */
  public ExampleEncoder keepingWhole() {
    return new ExampleEncoder(
        tokenizer, template, specialTokens, limits, LongRows.CUT_LATER, scoring);
  }

  /**
   * An encoder that drops and cuts nothing by length, for {@link PackedExamples}, where a row
   * without a token to learn still has its place.
   */
  public ExampleEncoder keepingAll() {
    return new ExampleEncoder(tokenizer, template, specialTokens, limits, LongRows.KEPT, scoring);
  }

  /**
   * An encoder for demonstrations of which other tokens are learned.
   *
   * @throws UsageException if the chat template does not mark them
   */
  public ExampleEncoder scoring(Scoring other) {
    if (other.assistantOnly() && template != null && !template.marksGenerated()) {
      throw new UsageException(
          ASSISTANT_ONLY,
          "needs a chat template that marks what the assistant writes",
          "%s has no tag generation".formatted(template.origin()),
          "in the template, write {% generation %} before and {% endgeneration %} after what the"
              + " assistant writes with its end token, as docs/how-to/fine-tune-first.md shows");
    }
    return new ExampleEncoder(tokenizer, template, specialTokens, limits, longRows, other);
  }

  /** The bounds on rows. */
  public EncodingLimits limits() {
    return limits;
  }

  /** The beginning-of-sequence id; -1 if the tokenizer has none. */
  public int bos() {
    return specialTokens.bosId(tokenizer).orElse(-1);
  }

  /**
   * @throws BadRowException if the model cannot be trained on the row
   * @throws DpoException if the model folder lacks a file or token that every row of this kind
   *     needs
   */
  public EncodedRow encode(Example example) {
    if (example instanceof Example.Text text) {
      return encodeText(text);
    } else if (example instanceof Example.Chat chat) {
      return encodeChat(chat);
    }
    return encodeIds((Example.Ids) example);
  }

  private EncodedRow encodeText(Example.Text example) {
    requireConversation(example, "plain text");
    String eos = specialTokens.eosToken();
    if (eos == null || eosId.isEmpty()) {
      throw new DpoException(
          "%s plain text must end in EOS but %s; set \"eos_token\" in tokenizer_config.json"
              .formatted(
                  example.origin(),
                  eos == null
                      ? "the model folder names none"
                      : "\"" + eos + "\" is not one token of tokenizer.json"));
    }
    List<String> completions =
        example.completions().stream()
            .map(completion -> endingIn(eos, completion.content()))
            .toList();
    return encodeTexts(
        example,
        tokenizer.encode(example.prompt(), true),
        completions.stream()
            .map(completion -> tokenizer.encode(example.prompt() + completion, true))
            .toList(),
        false,
        null,
        new EncodedRow.RenderedTexts(example.prompt(), completions),
        RowDoubts.of(example));
  }

  static String endingIn(String eos, String completion) {
    return completion.endsWith(eos) ? completion : completion + eos;
  }

  private EncodedRow encodeChat(Example.Chat example) {
    String prompt = example.prompt().isEmpty() ? "" : render(example, List.of(), true);
    List<String> whole;
    List<int[]> ids;
    @Nullable BitSet unscored = null;
    if (scoring.assistantOnly()) {
      MarkedText marked = renderMarked(example);
      TextTokenizer.PlacedTokens tokens = placed(marked);
      whole = List.of(marked.text());
      ids = List.of(tokens.ids());
      unscored = notGenerated(marked, tokens);
    } else {
      whole =
          example.completions().stream()
              .map(completion -> render(example, completion.content(), false))
              .toList();
      ids = whole.stream().map(text -> tokenizer.encode(text, false)).toList();
    }
    int shared = whole.stream().mapToInt(text -> commonPrefix(prompt, text)).min().orElseThrow();
    return encodeTexts(
        example,
        prompt.isEmpty() ? new int[0] : tokenizer.encode(prompt, false),
        ids,
        true,
        unscored,
        new EncodedRow.RenderedTexts(
            prompt.substring(0, shared),
            whole.stream().map(text -> text.substring(shared)).toList()),
        RowDoubts.of(example, prompt, whole, this::rendered));
  }

  private void requireConversation(Example example, String kind) {
    if (scoring.assistantOnly()) {
      throw new UsageException(
          ASSISTANT_ONLY,
          "needs conversations",
          "%s is %s".formatted(example.origin(), kind),
          OptionText.of("leave it out, or pass {data_format} messages"));
    }
  }

  private TextTokenizer.PlacedTokens placed(MarkedText marked) {
    return tokenizer
        .encodeWithPlaces(marked.text(), false)
        .orElseThrow(
            () ->
                new DpoException(
                    OptionText.of(
                        "{%s} needs a tokenizer that knows the places of its tokens, such as that"
                            + " of a tokenizer.json",
                        ASSISTANT_ONLY)));
  }

  /** The tokens that have no part in what the assistant writes. */
  private static BitSet notGenerated(MarkedText marked, TextTokenizer.PlacedTokens tokens) {
    BitSet unscored = new BitSet();
    unscored.set(0, tokens.ids().length);
    for (MarkedText.Span span : marked.generated()) {
      for (int i = 0; i < tokens.ids().length; i++) {
        if (tokens.starts()[i] < span.end() && tokens.ends()[i] > span.start()) {
          unscored.clear(i);
        }
      }
    }
    return unscored;
  }

  /** Renders for a comparison; a template that refuses counts as a difference. */
  private String rendered(List<Message> turns, Map<String, @Nullable Object> variables) {
    try {
      return Objects.requireNonNull(template).render(turns, false, variables);
    } catch (DpoException e) {
      return "";
    }
  }

  private String render(Example.Chat example, List<Message> completion, boolean header) {
    ChatRenderer renderer = requireTemplate(example);
    return unlessRefused(
        example,
        () -> renderer.render(turns(example, completion), header, example.templateVariables()));
  }

  /** The prompt with the one completion. */
  private MarkedText renderMarked(Example.Chat example) {
    ChatRenderer renderer = requireTemplate(example);
    List<Message> turns = turns(example, example.completions().get(0).content());
    MarkedText marked =
        unlessRefused(example, () -> renderer.renderMarked(turns, example.templateVariables()));
    if (marked.generated().isEmpty()) {
      throw new BadRowException(
          example.origin(),
          "no turn that the chat template marks as generated",
          OptionText.of("{%s} learns from the assistant's turns alone", ASSISTANT_ONLY));
    }
    return marked;
  }

  private static List<Message> turns(Example.Chat example, List<Message> completion) {
    return Stream.concat(example.prompt().stream(), completion.stream()).toList();
  }

  private ChatRenderer requireTemplate(Example.Chat example) {
    if (template == null) {
      throw new DpoException(
          ("%s messages need a chat template but the model folder has none;"
                  + " add chat_template.jinja to it, or write prompt and completions as text")
              .formatted(example.origin()));
    }
    return template;
  }

  private static <T> T unlessRefused(Example.Chat example, Supplier<T> rendering) {
    try {
      return rendering.get();
    } catch (DpoException e) {
      throw new BadRowException(
          example.origin(), "refused by the chat template", String.valueOf(e.getMessage()));
    }
  }

  /**
   * @param prompt ids of the prompt alone
   * @param ids of the prompt with each completion
   * @param rendered whether a chat template wrote the texts
   * @param unscored which of the ids of a single completion with its prompt are not learned; null
   *     for those of the prompt
   */
  private EncodedRow encodeTexts(
      Example source,
      int[] prompt,
      List<int[]> ids,
      boolean rendered,
      @Nullable BitSet unscored,
      EncodedRow.RenderedTexts texts,
      Set<String> doubts) {
    RowOrigin origin = source.origin();
    int boundary = ids.stream().mapToInt(each -> commonPrefix(prompt, each)).min().orElseThrow();
    EncodedExample example =
        example(
            source,
            Arrays.copyOf(prompt, boundary),
            ids.stream().map(each -> Arrays.copyOfRange(each, boundary, each.length)).toList());
    OptionalInt outOfRange = idOutOfRange(example);
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
    if (unscored != null) {
      example = example.unscored(unscored.get(example.promptIds().length, ids.get(0).length));
    }
    if (texts.completions().stream()
        .anyMatch(text -> tokenizer.differsInTransformers(texts.prompt() + text, !rendered))) {
      doubts.add(RowDoubts.OTHER_IDS);
    }
    List<Integer> unmatched = Arrays.stream(prompt, boundary, prompt.length).boxed().toList();
    if (!unmatched.isEmpty()
        && !doubts.contains(RowDoubts.LOST_HEADER)
        && !doubts.contains(RowDoubts.OTHER_TURN)) {
      doubts.add(RowDoubts.CROSSING_TOKEN);
    }
    return finish(example, texts, unmatched, doubts, rendered);
  }

  private EncodedExample example(Example source, int[] promptIds, List<int[]> completions) {
    List<EncodedCompletion> encoded = new ArrayList<>();
    for (int i = 0; i < completions.size(); i++) {
      encoded.add(new EncodedCompletion(source.completions().get(i).role(), completions.get(i)));
    }
    EncodedExample example =
        new EncodedExample(source.origin(), promptIds, encoded, source.numbers());
    return scoring.prompt() ? example.withPromptLearned() : example;
  }

  private EncodedRow encodeIds(Example.Ids source) {
    requireConversation(source, "token ids");
    EncodedExample example =
        example(
            source,
            array(source.prompt()),
            source.completions().stream().map(completion -> array(completion.content())).toList());
    OptionalInt outOfRange = idOutOfRange(example);
    if (outOfRange.isPresent()) {
      throw new BadRowException(
          example.origin(),
          "token id out of range",
          "ids must be from 0 to %d but one is %d"
              .formatted(limits.vocabSize() - 1, outOfRange.getAsInt()));
    }
    EncodedRow.RenderedTexts texts =
        new EncodedRow.RenderedTexts(
            tokenizer.decode(example.promptIds()),
            example.completions().stream()
                .map(completion -> tokenizer.decode(completion.ids()))
                .toList());
    return finish(example, texts, List.of(), Set.of(), false);
  }

  private EncodedRow finish(
      EncodedExample example,
      EncodedRow.RenderedTexts texts,
      List<Integer> unmatched,
      Set<String> doubts,
      boolean rendered) {
    requireUsable(example);
    Set<String> warnings = tokenizationWarnings.of(example);
    warnings.addAll(doubts);
    // The template writes this after every answer, so no row can change it.
    Set<String> notes =
        rendered && warnings.remove(TokenizationWarnings.AFTER_EOS)
            ? Set.of(TokenizationWarnings.TEMPLATE_AFTER_EOS)
            : Set.of();
    Status status = Status.KEPT;
    String reason = "";
    @Nullable EncodedExample used = example;
    if (longRows != LongRows.KEPT && limits.cuts() && longest(example) > limits.maxLength()) {
      boolean keepsEnd = longRows == LongRows.START_CUT;
      EncodedExample cut =
          keepsEnd ? example.cutStart(limits.maxLength()) : example.cut(limits.maxLength());
      if (!keepsEnd && example.promptIds().length >= limits.maxLength()) {
        status = Status.DROPPED;
        reason = PROMPT_TOO_LONG;
        used = null;
      } else if (cut.completions().size() == 1 && cut.scoredTokens() == 0) {
        status = Status.DROPPED;
        reason = NOTHING_LEFT;
        used = null;
      } else if (sidesEqual(cut)) {
        status = Status.DROPPED;
        reason = SAME_AFTER_CUT;
        used = null;
      } else {
        status = Status.CUT;
        reason = keepsEnd ? START_CUT : CUT;
        used = longRows == LongRows.CUT_LATER ? example : cut;
      }
    }
    return new EncodedRow(
        example.origin(),
        status,
        reason,
        used,
        Lengths.of(example),
        texts,
        unmatched,
        warnings,
        notes,
        example.numbers());
  }

  private void requireUsable(EncodedExample example) {
    RowOrigin origin = example.origin();
    int shortest = Integer.MAX_VALUE;
    for (EncodedCompletion completion : example.completions()) {
      if (completion.ids().length == 0) {
        throw new BadRowException(
            origin, "empty " + example.column(completion), "no token is left after encoding");
      }
      shortest = Math.min(shortest, completion.ids().length);
    }
    boolean nothing = example.completions().size() == 1 && example.scoredTokens() == 0;
    if (nothing || (example.promptIds().length == 0 && shortest == 1)) {
      throw new BadRowException(
          origin,
          "nothing to score",
          example.promptIds().length > 0
              ? OptionText.of("no token of the completion is one that {assistant_only_loss} learns")
              : "the prompt has no token and a completion only one, which nothing predicts; give the"
                  + " row a prompt");
    }
    if (sidesEqual(example)) {
      throw new BadRowException(
          origin, "identical chosen and rejected", "both sides have the same token ids");
    }
    if (!limits.cuts() && longest(example) > limits.maxPositions()) {
      throw new BadRowException(
          origin,
          "longer than the model's positions",
          "the row has %d tokens, the model %d positions; set max_length to cut"
              .formatted(longest(example), limits.maxPositions()));
    }
  }

  private static int longest(EncodedExample example) {
    int longest = 0;
    for (EncodedCompletion completion : example.completions()) {
      longest = Math.max(longest, completion.ids().length);
    }
    return example.promptIds().length + longest;
  }

  private static boolean sidesEqual(EncodedExample example) {
    return example.isPair() && Arrays.equals(example.chosenIds(), example.rejectedIds());
  }

  private OptionalInt idOutOfRange(EncodedExample example) {
    return Stream.concat(
            Stream.of(example.promptIds()),
            example.completions().stream().map(EncodedCompletion::ids))
        .flatMapToInt(Arrays::stream)
        .filter(id -> id < 0 || id >= limits.vocabSize())
        .findFirst();
  }

  private static int[] array(List<Integer> ids) {
    return ids.stream().mapToInt(Integer::intValue).toArray();
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
