package org.dpo4j.data;

import java.util.List;

/** Lists in messages, which stay readable however long they are. */
public final class ShortList {

  private ShortList() {}

  /** As in {@code "a, b and 3 more"}. */
  public static String of(List<String> items, int most) {
    String shown = String.join(", ", items.subList(0, Math.min(most, items.size())));
    return items.size() <= most ? shown : "%s and %d more".formatted(shown, items.size() - most);
  }
}
