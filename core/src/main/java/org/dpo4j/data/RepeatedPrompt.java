package org.dpo4j.data;

/** Recognizes a completion that repeats its prompt, which the model would then read twice. */
public final class RepeatedPrompt {
  /** An answer may begin like a prompt shorter than this by chance. */
  private static final int SHORTEST = 12;

  private RepeatedPrompt() {}

  /** Whether the completion begins with the prompt; white space around either does not count. */
  public static boolean opens(String completion, String prompt) {
    String text = prompt.strip();
    return text.length() >= SHORTEST && completion.stripLeading().startsWith(text);
  }
}
