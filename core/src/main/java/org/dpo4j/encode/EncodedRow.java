package org.dpo4j.encode;

import java.util.Collections;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import org.dpo4j.data.BadRowException;
import org.dpo4j.data.Row;
import org.dpo4j.data.RowNumbers;
import org.dpo4j.data.RowOrigin;
import org.jspecify.annotations.Nullable;

/**
 * The result of encoding one row, for training and for display.
 *
 * @param status whether the example is used as it is, used after a cut, or not used
 * @param reason why it was cut or dropped, identical for all rows with this cause; "" if kept
 * @param example the ids after truncation, or null if the row is dropped
 * @param uncut the lengths of the parts before truncation
 * @param texts the texts that were tokenized
 * @param unmatchedPromptIds the last ids of the prompt that change when a completion follows it;
 *     they are left out of the example, as in TRL. Usually empty
 * @param warnings what is legal in this row but rarely intended, identical for all rows with it; of
 *     a bad row, what is wrong
 * @param notes effects of the chat template that occur in every row
 * @param numbers of the row, none if it is bad
 */
public record EncodedRow(
    RowOrigin origin,
    Status status,
    String reason,
    @Nullable EncodedExample example,
    Lengths uncut,
    RenderedTexts texts,
    List<Integer> unmatchedPromptIds,
    Set<String> warnings,
    Set<String> notes,
    RowNumbers numbers) {

  /** Ids of the prompt and of each completion. */
  public record Lengths(int prompt, List<Integer> completions) {
    static final Lengths NONE = new Lengths(0, List.of());

    public Lengths {
      completions = List.copyOf(completions);
    }

    static Lengths of(EncodedExample example) {
      return new Lengths(
          example.promptIds().length,
          example.completions().stream().map(completion -> completion.ids().length).toList());
    }
  }

  /** What happened to a row; {@code score} and {@code inspect} print the names in lower case. */
  public enum Status {
    KEPT,
    CUT,
    DROPPED;

    @Override
    public String toString() {
      return name().toLowerCase(Locale.ROOT);
    }
  }

  /** Where the prompt of an example ends, and why there. */
  public enum Boundary {
    /** The ids of the prompt alone open the prompt with every completion. */
    PROMPT_END("at the last id of the prompt, whose ids open the text with each completion"),
    /** A token holds the end of the prompt and the start of a completion. */
    CROSSING_TOKEN("before a token that crosses the end of the prompt (a merge of both texts)"),
    /** The template writes an end of the prompt that it does not repeat in a conversation. */
    LOST_HEADER(
        "before the end of the template's prompt, which the conversation does not repeat (as with"
            + " <think>)"),
    /** A completion begins with another turn than the assistant's. */
    OTHER_TURN("before the role of a completion's first turn, which is not the assistant's"),
    /** There is no prompt: a whole text or conversation. */
    NONE("at the start, since there is no prompt");

    private final String words;

    Boundary(String words) {
      this.words = words;
    }

    /** The place and the reason in words. */
    public String words() {
      return words;
    }
  }

  public EncodedRow {
    unmatchedPromptIds = List.copyOf(unmatchedPromptIds);
    warnings = Collections.unmodifiableSet(new TreeSet<>(warnings));
    notes = Collections.unmodifiableSet(new TreeSet<>(notes));
    if ((example == null) != (status == Status.DROPPED)) {
      throw new IllegalArgumentException("a row has an example unless it is dropped");
    }
  }

  /**
   * Encodes a row: one result for each of its examples, or one for a bad row that is skipped.
   *
   * @throws BadRowException if the row is bad and {@code onBadRow} is {@code STOP}
   */
  public static List<EncodedRow> of(Row row, ExampleEncoder encoder, OnBadRow onBadRow) {
    try {
      return row.pairsOrThrow().stream().map(encoder::encode).toList();
    } catch (BadRowException problem) {
      if (onBadRow == OnBadRow.STOP) {
        throw problem;
      }
      return List.of(skipped(row.origin(), problem));
    }
  }

  /** A skipped bad row, so that every row has one result. */
  static EncodedRow skipped(RowOrigin origin, BadRowException problem) {
    return new EncodedRow(
        origin,
        Status.DROPPED,
        problem.reason(),
        null,
        Lengths.NONE,
        RenderedTexts.NONE,
        List.of(),
        Set.of(problem.text()),
        Set.of(),
        RowNumbers.NONE);
  }

  /** Whether it is a bad row that was skipped. */
  public boolean isBad() {
    return status == Status.DROPPED && uncut.completions().isEmpty();
  }

  /** Where the prompt ends, and how that was found. */
  public Boundary boundary() {
    if (warnings.contains(RowDoubts.LOST_HEADER)) {
      return Boundary.LOST_HEADER;
    } else if (warnings.contains(RowDoubts.OTHER_TURN)) {
      return Boundary.OTHER_TURN;
    } else if (!unmatchedPromptIds.isEmpty()) {
      return Boundary.CROSSING_TOKEN;
    }
    return uncut.prompt() == 0 ? Boundary.NONE : Boundary.PROMPT_END;
  }

  /** The example, unless the row is dropped. */
  public Optional<EncodedExample> usable() {
    return Optional.ofNullable(example);
  }

  /**
   * The texts that were tokenized, uncut: prompt followed by a completion is the whole text. For
   * conversations, as rendered by the chat template; for plain text, with the added EOS; for rows
   * of ids, as decoded by the tokenizer.
   *
   * @param completions in the order of the example's
   */
  public record RenderedTexts(String prompt, List<String> completions) {
    static final RenderedTexts NONE = new RenderedTexts("", List.of());

    public RenderedTexts {
      completions = List.copyOf(completions);
    }
  }
}
