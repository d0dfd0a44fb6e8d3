package org.dpo4j.hub;

import java.util.Locale;

/** What a repository of the hub holds. */
public enum RepositoryType {
  MODEL(""),
  DATASET("datasets/");

  private final String prefix;

  RepositoryType(String prefix) {
    this.prefix = prefix;
  }

  /** What stands before the name in the address of its page and files. */
  String prefix() {
    return prefix;
  }

  /** Its part of the interface, as in {@code models}. */
  String plural() {
    return this + "s";
  }

  /** In messages. */
  String words() {
    return this == MODEL ? "model" : "data set";
  }

  /** As options and records have it. */
  @Override
  public String toString() {
    return name().toLowerCase(Locale.ROOT);
  }
}
