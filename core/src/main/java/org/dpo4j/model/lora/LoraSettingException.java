package org.dpo4j.model.lora;

import org.dpo4j.DpoException;

/** A setting of an adapter does not fit the model. */
public final class LoraSettingException extends DpoException {
  private static final long serialVersionUID = 1L;

  private final String setting;
  private final String problem;

  /**
   * @param setting PEFT's name of it, as in {@code target_modules}
   * @param problem the rule and what was found, as in {@code must name layers but names none}
   */
  LoraSettingException(String setting, String problem) {
    super(setting + " " + problem);
    this.setting = setting;
    this.problem = problem;
  }

  /** PEFT's name of the setting. */
  public String setting() {
    return setting;
  }

  /** The message without the setting at its beginning. */
  public String problem() {
    return problem;
  }
}
