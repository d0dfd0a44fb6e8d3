package org.dpo4j.torch;

import java.util.List;
import java.util.Locale;
import java.util.Objects;
import java.util.Optional;
import java.util.stream.Stream;
import org.dpo4j.DpoException;
import org.dpo4j.OptionText;

/** Turns a failed allocation, in Java or in native code, into a message that names the setting. */
public final class MemoryFailure {

  /** Fragments of the native libraries' messages about failed allocations, in lower case. */
  private static final List<String> NATIVE =
      List.of(
          "defaultcpuallocator",
          "can't allocate memory",
          "cannot allocate memory",
          "not enough memory",
          "out of memory",
          "out_of_memory",
          "bad_alloc");

  private static final String JAVA_OPTIONS =
      "%s with DPO4J_JAVA_OPTS=%s in the environment, or pass the option to java";

  private MemoryFailure() {}

  private static final String LESS =
      "lower the lengths and the batch size of the command, or take a smaller model";

  /**
   * A failure with a message for people.
   *
   * @return empty if memory is not the reason
   */
  public static Optional<DpoException> of(Throwable failure) {
    return of(failure, LESS);
  }

  /**
   * The failure of a training run.
   *
   * @param separable whether the division into micro-batches changes no number of the loss
   * @return empty if memory is not the reason
   */
  public static Optional<DpoException> ofTraining(Throwable failure, boolean separable) {
    return of(
        failure,
        OptionText.of(
            "lower {per_device_train_batch_size} and raise {gradient_accumulation_steps} by the"
                + " same factor (%s),\nor lower {max_length}, pass {gradient_checkpointing} true or"
                + " {use_peft}, or take a smaller model;\ndpo4j plan shows what needs how much",
            separable
                ? "the numbers stay"
                : "this changes the numbers, since the loss depends on which pairs form a"
                    + " micro-batch"));
  }

  private static Optional<DpoException> of(Throwable failure, String less) {
    String text = firstLine(failure);
    if (failure instanceof OutOfMemoryError) {
      return Optional.of(new DpoException(ofJava(text, less), failure));
    }
    if (failure instanceof LinkageError && causes(failure).anyMatch(MemoryFailure::isOfLoading)) {
      return Optional.of(
          new DpoException(
              "out of memory while the native libraries were loaded: %s\n".formatted(text)
                  + "they need 3 GB of address space: raise the limit of the process (ulimit -v) or"
                  + " of the container",
              failure));
    }
    boolean ofNative =
        failure instanceof RuntimeException
            && !(failure instanceof DpoException)
            && mentions(text, NATIVE);
    return ofNative
        ? Optional.of(new DpoException(ofNative(text, less), failure))
        : Optional.empty();
  }

  private static Stream<Throwable> causes(Throwable failure) {
    return Stream.iterate(failure, Objects::nonNull, Throwable::getCause);
  }

  private static boolean isOfLoading(Throwable failure) {
    return mentions(
        String.valueOf(failure.getMessage()),
        List.of("failed to map segment", "cannot allocate memory"));
  }

  private static String ofJava(String text, String less) {
    if (mentions(text, List.of("direct buffer"))) {
      return "out of memory for direct buffers: %s\n".formatted(text)
          + JAVA_OPTIONS.formatted("raise the limit", "-XX:MaxDirectMemorySize=2g");
    }
    if (mentions(text, List.of("metaspace", "class space"))) {
      return "out of memory for classes: %s\n".formatted(text)
          + JAVA_OPTIONS.formatted("raise the limit", "-XX:MaxMetaspaceSize=256m");
    }
    if (mentions(text, List.of("native thread"))) {
      return OptionText.of(
              "out of memory or process numbers for threads: %s\nlower {threads}, or raise the",
              text)
          + " limit of the user or container (ulimit -u, pids.max)";
    }
    if (mentions(text, List.of("java heap", "gc overhead", "array size"))) {
      return "out of memory in the Java heap of %d MB: %s\n"
              .formatted(Runtime.getRuntime().maxMemory() >> 20, text)
          + JAVA_OPTIONS.formatted("raise it", "-Xmx4g");
    }
    return ofNative(text, less);
  }

  private static String ofNative(String text, String less) {
    return "out of memory: %s\n%s".formatted(text, less);
  }

  private static boolean mentions(String text, List<String> words) {
    String lower = text.toLowerCase(Locale.ROOT);
    return words.stream().anyMatch(lower::contains);
  }

  /** The native libraries' messages continue with a native stack trace. */
  private static String firstLine(Throwable failure) {
    String message = String.valueOf(failure.getMessage());
    return message.lines().findFirst().orElse("no message");
  }
}
