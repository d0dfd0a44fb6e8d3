package org.dpo4j.evaluate;

import java.util.Collection;
import java.util.function.Predicate;
import org.apache.commons.math3.stat.interval.ConfidenceInterval;
import org.apache.commons.math3.stat.interval.WilsonScoreInterval;

/**
 * A share of pairs with its 95 % Wilson score interval (Wilson 1927).
 *
 * @param successes pairs with the property, at least 0
 * @param of all pairs, at least {@code successes}
 */
public record Proportion(int successes, int of) implements Share {

  private static final double CONFIDENCE = 0.95;

  public Proportion {
    if (successes < 0 || successes > of) {
      throw new IllegalArgumentException(
          "successes must be in [0, %d] but was %d".formatted(of, successes));
    }
  }

  /** The share of items with a property. */
  public static <T> Proportion of(Collection<T> items, Predicate<T> property) {
    return new Proportion((int) items.stream().filter(property).count(), items.size());
  }

  @Override
  public double share() {
    return of == 0 ? Double.NaN : (double) successes / of;
  }

  @Override
  public double low() {
    // At the ends the interval reaches them; rounding would leave it short.
    return of == 0 ? Double.NaN : successes == 0 ? 0 : interval().getLowerBound();
  }

  @Override
  public double high() {
    return of == 0 ? Double.NaN : successes == of ? 1 : interval().getUpperBound();
  }

  private ConfidenceInterval interval() {
    return new WilsonScoreInterval().createInterval(of, successes, CONFIDENCE);
  }
}
