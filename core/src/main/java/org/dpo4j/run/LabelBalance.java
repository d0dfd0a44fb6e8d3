package org.dpo4j.run;

import java.util.Locale;
import java.util.Optional;
import org.dpo4j.OptionText;
import org.dpo4j.encode.EncodedExamples;

/**
 * How many completions have each label. KTO works best if the desirable ones, with their weight,
 * count as much as the others, or up to a third more. Ethayarajh et al. 2024, arXiv 2402.01306, Eq.
 * 8.
 *
 * @param desirable completions with the label true
 * @param undesirable completions with the label false
 */
record LabelBalance(int desirable, int undesirable) {

  /**
   * The largest share of desirable to undesirable weight that the paper advises; TRL's rounding.
   */
  private static final double MOST = 1.33;

  static LabelBalance of(EncodedExamples examples) {
    int desirable = examples.desirable();
    return new LabelBalance(desirable, examples.size() - desirable);
  }

  String words() {
    return "%d desirable, %d undesirable".formatted(desirable, undesirable);
  }

  /**
   * What to change.
   *
   * @param ofDesirable {@code desirable_weight}
   * @param ofUndesirable {@code undesirable_weight}
   * @return empty if the weights fit the labels
   */
  Optional<String> advice(double ofDesirable, double ofUndesirable) {
    if (desirable == 0 || undesirable == 0) {
      return Optional.of(
          "all completions are %s: the model learns to %s such completions and nothing else; add"
                  .formatted(
                      desirable > 0 ? "desirable" : "undesirable",
                      desirable > 0 ? "write" : "avoid")
              + " completions with the other label");
    }
    double share = ofDesirable * desirable / (ofUndesirable * undesirable);
    if (desirable == undesirable || (share >= 1 && share <= MOST)) {
      return Optional.empty();
    }
    double least = ofUndesirable * undesirable / desirable;
    double most = ofDesirable * desirable / undesirable;
    return Optional.of(
        OptionText.of(
            "the labels are not balanced (%s); pass {desirable_weight} from %s to %s, or"
                + " {undesirable_weight} from %s to %s, but not both",
            words(), number(least), number(MOST * least), number(most / MOST), number(most)));
  }

  private static String number(double value) {
    return String.format(Locale.ROOT, "%.2f", value);
  }
}
