package org.dpo4j.gguf;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * The keys and values of a GGUF file, in order. Values are {@link String}, {@link Integer}
 * (unsigned 32 bits), {@link Float}, {@link Boolean}, a list of {@code String}, {@code int[]}
 * (signed) or {@code float[]}.
 */
final class GgufMetadata {

  private final Map<String, Object> values = new LinkedHashMap<>();

  GgufMetadata text(String key, String value) {
    return put(key, value);
  }

  GgufMetadata number(String key, int value) {
    if (value < 0) {
      throw new IllegalArgumentException(
          "%s must not be negative but was %d".formatted(key, value));
    }
    return put(key, value);
  }

  GgufMetadata real(String key, double value) {
    return put(key, (float) value);
  }

  GgufMetadata flag(String key, boolean value) {
    return put(key, value);
  }

  GgufMetadata texts(String key, List<String> value) {
    return put(key, List.copyOf(value));
  }

  GgufMetadata numbers(String key, int[] value) {
    return put(key, value.clone());
  }

  GgufMetadata reals(String key, float[] value) {
    return put(key, value.clone());
  }

  /** Adds all keys of another one. */
  GgufMetadata all(GgufMetadata other) {
    other.values.forEach(this::put);
    return this;
  }

  GgufMetadata put(String key, Object value) {
    if (values.put(key, value) != null) {
      throw new IllegalArgumentException("the key %s is there twice".formatted(key));
    }
    return this;
  }

  Map<String, Object> values() {
    return values;
  }
}
