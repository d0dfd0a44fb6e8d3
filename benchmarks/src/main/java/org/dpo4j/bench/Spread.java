package org.dpo4j.bench;

import java.util.List;
import java.util.function.DoubleFunction;
import java.util.stream.Collectors;

/** Some measured values of one thing. */
record Spread(List<Double> values) {

  Spread {
    if (values.isEmpty()) {
      throw new IllegalArgumentException("there must be a value");
    }
    values = List.copyOf(values);
  }

  double least() {
    return sorted().get(0);
  }

  double most() {
    return sorted().get(values.size() - 1);
  }

  double median() {
    List<Double> sorted = sorted();
    int middle = sorted.size() / 2;
    return sorted.size() % 2 == 1
        ? sorted.get(middle)
        : (sorted.get(middle - 1) + sorted.get(middle)) / 2;
  }

  private List<Double> sorted() {
    return values.stream().sorted().toList();
  }

  /** The median with least and most behind it, or the one value. */
  String text(DoubleFunction<String> format) {
    return values.size() == 1
        ? format.apply(values.get(0))
        : "%s (%s to %s)"
            .formatted(format.apply(median()), format.apply(least()), format.apply(most()));
  }

  /** All values in the order of the runs. */
  String all(DoubleFunction<String> format) {
    return values.stream().map(format::apply).collect(Collectors.joining(", "));
  }
}
