package org.dpo4j.data;

import java.util.List;
import java.util.function.Function;
import java.util.stream.Collectors;

/** Lists in messages, which stay readable however long they are. */
public final class ShortList {

  private ShortList() {}

  /** As in {@code "a, b and 3 more"}. */
  public static String of(List<String> items, int most) {
    return of(items, most, Function.identity());
  }

  /**
   * As above.
   *
   * @param words of an item; asked for those that are shown
   */
  public static <T> String of(List<T> items, int most, Function<? super T, String> words) {
    String shown = items.stream().limit(most).map(words).collect(Collectors.joining(", "));
    return items.size() <= most ? shown : "%s and %d more".formatted(shown, items.size() - most);
  }
}
