package org.dpo4j.encode;

import java.util.ArrayList;
import java.util.List;
import java.util.stream.Collectors;
import org.dpo4j.DpoException;
import org.dpo4j.OptionText;
import org.dpo4j.data.BadRowException;
import org.jspecify.annotations.Nullable;

/** The bad rows that end a run: all are counted, and the first few are kept for the message. */
final class BadRows {
  private static final int SHOWN = 5;

  private final List<BadRowException> first = new ArrayList<>();

  boolean any() {
    return !first.isEmpty();
  }

  void add(BadRowException problem) {
    if (first.size() < SHOWN) {
      first.add(problem);
    }
  }

  /**
   * One exception: the first bad row, then the others.
   *
   * @param counts counts of all rows that were read
   * @param cause the failure that ended reading early, or null
   */
  BadRowException all(EncodingCounts counts, @Nullable RuntimeException cause) {
    int bad = counts.bad().values().stream().mapToInt(EncodingCounts.Tally::rows).sum();
    StringBuilder text = new StringBuilder();
    first.subList(1, first.size()).forEach(problem -> text.append('\n').append(problem.text()));
    if (counts.rows() > 1) {
      String reasons =
          counts.bad().size() == 1
              ? ""
              : counts.bad().entrySet().stream()
                  .map(entry -> entry.getValue().rows() + " " + entry.getKey())
                  .collect(Collectors.joining(", ", ": ", ""));
      String them = bad == 1 ? "it" : "them";
      text.append(
          "\n%d of %d rows %s bad%s; fix %s%s"
              .formatted(
                  bad,
                  counts.rows(),
                  bad == 1 ? "is" : "are",
                  reasons,
                  them,
                  bad == counts.rows()
                      ? "" // skipping all would leave none
                      : OptionText.of(", or skip %s with {on_bad_row} skip", them)));
    }
    if (cause != null) {
      text.append("\nthe reading ended there: ")
          .append(cause instanceof DpoException known ? known.text() : cause.getMessage());
    }
    return first.get(0).followedBy(text.toString());
  }
}
