package org.dpo4j.config;

/** The names of {@code --device}. */
public enum Device {
  CPU
}
