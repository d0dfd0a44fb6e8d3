package org.dpo4j.options;

import java.util.Locale;
import java.util.OptionalInt;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * A device as PyTorch names it: {@code cpu}, {@code cuda} or {@code cuda:N}; or {@code auto}, which
 * is the first GPU if there is one.
 *
 * @param text in lower case
 */
public record DeviceName(String text) {

  /** What a name must be, for messages. */
  public static final String RULE = "auto, cpu, cuda or cuda:N";

  private static final Pattern CUDA = Pattern.compile("cuda(?::(\\d{1,3}))?");

  /** A name in any case; throws IllegalArgumentException if it is none. */
  public DeviceName {
    text = text.toLowerCase(Locale.ROOT);
    if (!text.equals("auto") && !text.equals("cpu") && !CUDA.matcher(text).matches()) {
      throw new IllegalArgumentException("a device must be %s".formatted(RULE));
    }
  }

  public boolean isAuto() {
    return text.equals("auto");
  }

  /** The number of the GPU; empty for the processor and for {@code auto}. */
  public OptionalInt gpu() {
    Matcher matcher = CUDA.matcher(text);
    if (!matcher.matches()) {
      return OptionalInt.empty();
    }
    return OptionalInt.of(matcher.group(1) == null ? 0 : Integer.parseInt(matcher.group(1)));
  }

  @Override
  public String toString() {
    return text;
  }
}
