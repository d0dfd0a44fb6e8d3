package org.dpo4j.weights;

import java.util.regex.Pattern;

/** Names of repositories on the Hugging Face hub. */
public final class HubName {
  private static final String PART = "[A-Za-z0-9_][\\w.-]*";
  private static final Pattern WITH_OWNER = Pattern.compile(PART + "/" + PART);
  private static final Pattern ANY = Pattern.compile("(" + PART + "/)?" + PART);

  private HubName() {}

  /** Whether the text has the form {@code owner/name}. */
  public static boolean hasOwner(String text) {
    return WITH_OWNER.matcher(text).matches();
  }

  /**
   * Whether the text has the form {@code owner/name} or {@code name}, as the oldest models have.
   */
  public static boolean matches(String text) {
    return ANY.matcher(text).matches();
  }
}
