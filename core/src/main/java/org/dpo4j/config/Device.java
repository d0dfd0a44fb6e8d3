package org.dpo4j.config;

/** The values of the option {@code device}. */
public enum Device {
  CPU
}
