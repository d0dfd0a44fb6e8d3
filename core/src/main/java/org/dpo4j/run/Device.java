package org.dpo4j.run;

/** The names of {@code --device}. */
public enum Device {
  CPU
}
