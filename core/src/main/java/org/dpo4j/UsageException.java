package org.dpo4j;

/**
 * A wrong option, value or combination, found before any work began: the exit code is 2.
 *
 * <p>The message is complete; the fields are its parts, for programs that format errors themselves.
 * They are empty if a message is about no single option.
 */
public class UsageException extends DpoException {
  private static final long serialVersionUID = 1L;

  private final String option;
  private final String rule;
  private final String found;
  private final String whatToDo;

  /**
   * A message about several options or none; {@link #option()} is the one at its beginning, if any.
   *
   * @param text the message
   */
  public UsageException(String text) {
    super(text);
    this.option = OptionText.first(text);
    this.rule = "";
    this.found = "";
    this.whatToDo = "";
  }

  /**
   * As {@link #UsageException(String)}, with a cause.
   *
   * @param text the message
   * @param cause what caused the failure
   */
  public UsageException(String text, Throwable cause) {
    super(text, cause);
    this.option = OptionText.first(text);
    this.rule = "";
    this.found = "";
    this.whatToDo = "";
  }

  /**
   * A message about one option: "OPTION RULE but FOUND; WHAT TO DO".
   *
   * @param option its name without dashes
   * @param rule what must hold, as in {@code must be a folder}
   * @param found what holds instead, as in {@code was a file}; may be empty
   * @param whatToDo what to do; may be empty
   */
  public UsageException(String option, String rule, String found, String whatToDo) {
    super(sentence(option, rule, found, whatToDo));
    this.option = option;
    this.rule = OptionText.plain(rule);
    this.found = OptionText.plain(found);
    this.whatToDo = OptionText.plain(whatToDo);
  }

  /**
   * As {@link #UsageException(String, String, String, String)}, with a cause.
   *
   * @param option its name without dashes
   * @param rule what must hold
   * @param found what holds instead; may be empty
   * @param whatToDo what to do; may be empty
   * @param cause what caused the failure
   */
  public UsageException(
      String option, String rule, String found, String whatToDo, Throwable cause) {
    super(sentence(option, rule, found, whatToDo), cause);
    this.option = option;
    this.rule = OptionText.plain(rule);
    this.found = OptionText.plain(found);
    this.whatToDo = OptionText.plain(whatToDo);
  }

  private UsageException(String place, UsageException cause) {
    super(place + cause.text(), cause);
    this.option = cause.option;
    this.rule = cause.rule;
    this.found = cause.found;
    this.whatToDo = cause.whatToDo;
  }

  private static String sentence(String option, String rule, String found, String whatToDo) {
    return OptionText.of("{%s} %s", option, rule)
        + (found.isEmpty() ? "" : " but " + found)
        + (whatToDo.isEmpty() ? "" : "; " + whatToDo);
  }

  /**
   * This failure with the place of the value, such as {@code train.yaml:3: }, before its message.
   *
   * @param place file and line
   * @return the same failure with a longer message
   */
  public UsageException at(String place) {
    return place.isEmpty() ? this : new UsageException(place, this);
  }

  /**
   * The option's name without dashes; empty if the message is about several or none.
   *
   * @return a name in snake case, or ""
   */
  public String option() {
    return option;
  }

  /**
   * What must hold, as in {@code must be a folder}; may be empty.
   *
   * @return a part of a sentence, or ""
   */
  public String rule() {
    return rule;
  }

  /**
   * What was found, as in {@code was a file}; may be empty.
   *
   * @return a part of a sentence, or ""
   */
  public String found() {
    return found;
  }

  /**
   * What to do; may be empty.
   *
   * @return a part of a sentence, or ""
   */
  public String whatToDo() {
    return whatToDo;
  }
}
