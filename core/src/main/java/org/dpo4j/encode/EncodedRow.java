package org.dpo4j.encode;

import java.util.Collections;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import org.dpo4j.data.BadRowException;
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
 * @param warnings what is legal in this row but rarely intended, identical for all rows with it
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

  public EncodedRow {
    unmatchedPromptIds = List.copyOf(unmatchedPromptIds);
    warnings = Collections.unmodifiableSet(new TreeSet<>(warnings));
    notes = Collections.unmodifiableSet(new TreeSet<>(notes));
    if ((example == null) != (status == Status.DROPPED)) {
      throw new IllegalArgumentException("a row has an example unless it is dropped");
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
        Set.of(),
        Set.of(),
        RowNumbers.NONE);
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
