package org.dpo4j.cli;

import java.lang.reflect.Method;
import java.lang.reflect.Proxy;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.function.BooleanSupplier;
import org.dpo4j.Cancellation;
import org.jspecify.annotations.Nullable;

/**
 * Ctrl-C and the signals by which a system ends a process. A command says what the first one does;
 * another one ends the process at once.
 *
 * <p>The JDK handles signals in {@code sun.misc.Signal} alone, whose every use is a compiler
 * warning that cannot be turned off; hence the reflection. Where it is missing, a signal ends the
 * process at once.
 */
final class StopSignals implements AutoCloseable {

  /** The exit code of a process that a signal ended is this plus the signal's number. */
  private static final int EXIT_BASE = 128;

  private static final int INTERRUPT = 2;

  /** Signals by name, with their numbers in POSIX. */
  private static final Map<String, Integer> SIGNALS =
      new TreeMap<>(Map.of("HUP", 1, "INT", INTERRUPT, "TERM", 15));

  /** A signal and its handler before. */
  private record Previous(Object signal, Object handler) {}

  private final BooleanSupplier action;
  private final List<Previous> previous = new ArrayList<>();
  private volatile int exitCode;

  private StopSignals(BooleanSupplier action) {
    this.action = action;
  }

  /**
   * Handles the signals until it is closed: the first one suspends the run, which then saves a
   * checkpoint after its step.
   */
  static StopSignals suspending(Cancellation cancellation, Console console) {
    StopSignals signals =
        new StopSignals(
            () -> {
              if (cancellation.isSuspended()) {
                return false;
              }
              cancellation.suspend();
              console.err().println("stopping after this step; Ctrl-C again stops at once");
              return true;
            });
    SIGNALS.forEach(signals::handle);
    return signals;
  }

  /**
   * Handles Ctrl-C alone until it is closed.
   *
   * @param stop stops what is being done; returns whether there was something to stop
   */
  static StopSignals interrupting(BooleanSupplier stop) {
    StopSignals signals = new StopSignals(stop);
    signals.handle("INT", INTERRUPT);
    return signals;
  }

  private void handle(String name, int number) {
    try {
      Class<?> handlers = Class.forName("sun.misc.SignalHandler");
      Object signal = signals().getConstructor(String.class).newInstance(name);
      Object handler =
          Proxy.newProxyInstance(
              handlers.getClassLoader(),
              new Class<?>[] {handlers},
              (proxy, method, arguments) -> {
                if (method.getDeclaringClass() == Object.class) {
                  return objectMethod(proxy, method, arguments);
                }
                receive(EXIT_BASE + number);
                return null;
              });
      Object before = replace(signal, handler);
      if (before.equals(handlers.getField("SIG_IGN").get(null))) {
        replace(signal, before); // nohup, or a shell's background job
      } else {
        previous.add(new Previous(signal, before));
      }
    } catch (ReflectiveOperationException e) {
      // The system has no such signal, or the JVM was started with -Xrs.
    }
  }

  private static Class<?> signals() throws ClassNotFoundException {
    return Class.forName("sun.misc.Signal");
  }

  private static Object replace(Object signal, Object handler) throws ReflectiveOperationException {
    return signals()
        .getMethod("handle", signals(), Class.forName("sun.misc.SignalHandler"))
        .invoke(null, signal, handler);
  }

  private static Object objectMethod(Object proxy, Method method, Object @Nullable [] arguments) {
    return switch (method.getName()) {
      case "equals" -> arguments != null && proxy == arguments[0];
      case "hashCode" -> System.identityHashCode(proxy);
      default -> "StopSignals";
    };
  }

  private synchronized void receive(int code) {
    if (!action.getAsBoolean()) {
      System.exit(code);
    }
    exitCode = code;
  }

  /** 0, or the exit code for the signal that was received. */
  int exitCode() {
    return exitCode;
  }

  @Override
  public void close() {
    for (Previous before : previous) {
      try {
        replace(before.signal(), before.handler());
      } catch (ReflectiveOperationException e) {
        throw new IllegalStateException(e); // it could be handled before
      }
    }
  }
}
