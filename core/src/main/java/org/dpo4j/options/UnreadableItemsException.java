package org.dpo4j.options;

/** A mapping in place of a list has a name whose value is neither a value nor a list of values. */
final class UnreadableItemsException extends IllegalArgumentException {
  private static final long serialVersionUID = 1L;

  private final String name;
  private final String found;

  /**
   * An exception for one name.
   *
   * @param found what its value is, as in {@code a mapping}
   */
  UnreadableItemsException(String name, String found) {
    super("%s has %s".formatted(name, found));
    this.name = name;
    this.found = found;
  }

  String name() {
    return name;
  }

  /** What its value is. */
  String found() {
    return found;
  }
}
