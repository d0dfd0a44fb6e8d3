package org.dpo4j.train;

import java.util.List;
import org.dpo4j.ExampleKind;
import org.dpo4j.OptionText;
import org.dpo4j.data.ShortList;
import org.dpo4j.encode.EncodedExample;

/**
 * A step with a loss, a log-probability or a gradient that is not finite.
 *
 * @param step number of the step, from 1
 * @param loss mean loss
 * @param gradNorm 2-norm of the gradient
 * @param examples all examples of the step, in order
 * @param bad the examples whose own numbers are not finite; empty if only sums over examples are
 *     not
 */
public record NonFiniteStep(
    int step, double loss, double gradNorm, List<EncodedExample> examples, List<BadExample> bad) {

  /** More rows than this make a message unreadable; the reproduction has all of them. */
  private static final int MOST_ROWS = 20;

  /**
   * An example with its numbers.
   *
   * @param loss of the example
   * @param logpsChosen log-probability of the chosen completion under the policy, in nats
   * @param logpsRejected log-probability of the rejected completion under the policy, in nats
   * @param gradNorm 2-norm of the gradient of the example, or of the micro-batch in which alone it
   *     is not finite; NaN if the loss has none
   */
  public record BadExample(
      EncodedExample example,
      double loss,
      double logpsChosen,
      double logpsRejected,
      double gradNorm) {}

  public NonFiniteStep {
    examples = List.copyOf(examples);
    bad = List.copyOf(bad);
  }

  /** The rows of the bad examples; of all if none is bad alone. */
  public List<String> rows() {
    List<EncodedExample> named =
        bad.isEmpty() ? examples : bad.stream().map(BadExample::example).toList();
    return named.stream().map(example -> example.origin().toString()).toList();
  }

  /** The step, the numbers and the rows. */
  String description() {
    return "step %d: loss, log-probabilities and gradient must be finite but the mean loss was %s and the gradient norm %s, on %s: %s"
        .formatted(step, loss, gradNorm, which(), ShortList.of(rows(), MOST_ROWS));
  }

  private String which() {
    if (bad.isEmpty()) {
      return "the %d %ss of the step together".formatted(examples.size(), noun());
    }
    return bad.size() == examples.size()
        ? "all %ss of the step".formatted(noun())
        : "%d of the %d %ss of the step".formatted(bad.size(), examples.size(), noun());
  }

  private String noun() {
    boolean pairs = examples.stream().allMatch(EncodedExample::isPair);
    return (pairs ? ExampleKind.PAIRS : ExampleKind.LABELED).noun();
  }

  /** What to change. */
  String advice() {
    return bad.isEmpty() || bad.size() == examples.size()
        ? OptionText.of("Lower {learning_rate}, or look at these rows with inspect")
        : OptionText.of(
            "Look at these rows with inspect, lower {learning_rate}, or pass {on_nan} skip");
  }
}
