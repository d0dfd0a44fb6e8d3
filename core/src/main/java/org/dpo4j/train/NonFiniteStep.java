package org.dpo4j.train;

import java.util.List;
import org.dpo4j.OptionText;
import org.dpo4j.data.ShortList;
import org.dpo4j.encode.EncodedPair;

/**
 * A step with a loss, a log-probability or a gradient that is not finite.
 *
 * @param step number of the step, from 1
 * @param loss mean loss
 * @param gradNorm 2-norm of the gradient
 * @param pairs all pairs of the step, in order
 * @param bad the pairs whose own numbers are not finite; empty if only sums over pairs are not
 */
public record NonFiniteStep(
    int step, double loss, double gradNorm, List<EncodedPair> pairs, List<BadPair> bad) {

  /** More rows than this make a message unreadable; the reproduction has all of them. */
  private static final int MOST_ROWS = 20;

  /**
   * A pair with its numbers.
   *
   * @param loss of the pair
   * @param logpsChosen log-probability of the chosen completion under the policy, in nats
   * @param logpsRejected log-probability of the rejected completion under the policy, in nats
   * @param gradNorm 2-norm of the gradient of the pair, or of the micro-batch in which alone it is
   *     not finite; NaN if the loss has none
   */
  public record BadPair(
      EncodedPair pair, double loss, double logpsChosen, double logpsRejected, double gradNorm) {}

  public NonFiniteStep {
    pairs = List.copyOf(pairs);
    bad = List.copyOf(bad);
  }

  /** The rows of the bad pairs; of all pairs if none is bad alone. */
  public List<String> rows() {
    List<EncodedPair> named = bad.isEmpty() ? pairs : bad.stream().map(BadPair::pair).toList();
    return named.stream().map(pair -> pair.origin().toString()).toList();
  }

  /** The step, the numbers and the rows. */
  String description() {
    return "step %d: loss, log-probabilities and gradient must be finite but the mean loss was %s and the gradient norm %s, on %s: %s"
        .formatted(step, loss, gradNorm, which(), ShortList.of(rows(), MOST_ROWS));
  }

  private String which() {
    if (bad.isEmpty()) {
      return "the %d pairs of the step together".formatted(pairs.size());
    }
    return bad.size() == pairs.size()
        ? "all pairs of the step"
        : "%d of the %d pairs of the step".formatted(bad.size(), pairs.size());
  }

  /** What to change. */
  String advice() {
    return bad.isEmpty() || bad.size() == pairs.size()
        ? OptionText.of("Lower {learning_rate}, or look at these rows with inspect")
        : OptionText.of(
            "Look at these rows with inspect, lower {learning_rate}, or pass {on_nan} skip");
  }
}
