package org.dpo4j.run;

/** The names of {@code --save_dtype}: the number format of the weights that are written. */
public enum SaveDtype {
  /** That of the checkpoint that training starts from. */
  AUTO,
  FLOAT32,
  FLOAT16,
  BFLOAT16
}
