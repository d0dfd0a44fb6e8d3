package org.dpo4j.model.lora;

import org.dpo4j.DpoException;

/** Thrown if a setting of an adapter does not fit the model. */
public final class LoraSettingException extends DpoException {
  private static final long serialVersionUID = 1L;

  private final String setting;
  private final String problem;

  /**
   * @param setting PEFT's name of the setting, as in {@code target_modules}
   * @param problem rule and value found, as in {@code must name layers but names none}
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

  /** The message without the setting's name. */
  public String problem() {
    return problem;
  }
}
