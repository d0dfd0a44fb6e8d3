package org.dpo4j.config;

import java.util.Optional;
import org.dpo4j.OptionText;
import org.dpo4j.UsageException;
import org.dpo4j.options.Option;

/** How pairs are chosen among the completions of a prompt. */
public record Choosing(
    @Option(value = "best_worst", help = "how pairs are chosen") PairChoice choose,
    @Option(value = "0", help = "scores of a pair must differ by more than this") double margin,
    @Option(help = "column of the completion to choose over each sample (SPIN)")
        Optional<String> chosenColumn) {

  public Choosing {
    OptionChecks.notNegative("margin", margin, "0 asks for any difference");
    if (chosenColumn.isPresent() && (margin != 0 || choose != PairChoice.BEST_WORST)) {
      throw new UsageException(
          OptionText.of("{chosen_column} compares no scores; remove {margin} and {choose}"));
    }
  }

  /** Whether scores decide, in a way that differs from the default. */
  boolean changed() {
    return margin != 0 || choose != PairChoice.BEST_WORST || chosenColumn.isPresent();
  }

  /** The values of the option {@code choose}: which completions of a prompt become pairs. */
  public enum PairChoice {
    /** The best with the worst. */
    BEST_WORST,
    /** Each with each that is worse by more than the margin. */
    ALL_ABOVE_MARGIN
  }
}
