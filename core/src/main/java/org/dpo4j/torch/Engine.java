package org.dpo4j.torch;

import com.sun.jna.Library;
import com.sun.jna.Native;
import com.sun.jna.Platform;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Locale;
import java.util.Objects;
import java.util.OptionalLong;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.bytedeco.javacpp.Loader;
import org.bytedeco.pytorch.global.torch;
import org.dpo4j.UsageException;
import org.jspecify.annotations.Nullable;

/**
 * Loads libtorch once, after setting what must be set before it loads. Every class of this package
 * starts it; calling {@link #start} earlier does no harm.
 */
public final class Engine {

  private static final boolean STARTED = load();
  private static final boolean BF16_IS_FAST = readBf16();
  private static final int INITIAL_THREADS = torch.get_num_threads();
  private static final ThreadLocal<Integer> OWN = new ThreadLocal<>();
  private static volatile int byDefault = INITIAL_THREADS;

  private Engine() {}

  /** Loads the native libraries if that has not happened yet (about a second the first time). */
  public static void start() {
    if (!STARTED) {
      throw new IllegalStateException("the engine did not start");
    }
  }

  /**
   * Sets how many threads passes, the optimizer and single operations use from now on, where {@link
   * #use} says nothing else. Passes that are open go on with the threads that they began with.
   *
   * @param threads at least 1, and more than there are cores only costs; 0 for as many as the
   *     process began with, one for each core unless its environment says otherwise
   */
  public static void setThreads(int threads) {
    int number = number(threads);
    if (number != byDefault) {
      WorkerPool.get().freeUnused(); // may be of no use any more
    }
    byDefault = number;
    Pools.refresh();
  }

  /**
   * {@link #setThreads} for the calling thread alone, until what is returned is closed by it: for
   * runs beside each other.
   */
  public static Threads use(int threads) {
    return new Threads(number(threads));
  }

  private static int number(int threads) {
    if (threads < 0) {
      throw new UsageException("threads", "must not be negative", "was " + threads, "");
    }
    return threads == 0 ? INITIAL_THREADS : threads;
  }

  /** A number of threads that holds until it is closed, by the thread that asked for it. */
  public static final class Threads implements AutoCloseable {
    private final Thread owner = Thread.currentThread();
    private final @Nullable Integer before = OWN.get();

    private Threads(int threads) {
      OWN.set(threads);
      Pools.refresh();
    }

    /** Frees, too, what passes with that number of threads gave back. */
    @Override
    public void close() {
      if (Thread.currentThread() != owner) {
        throw new IllegalStateException(
            "the number of threads of %s must be given back by that thread but was by %s"
                .formatted(owner.getName(), Thread.currentThread().getName()));
      }
      WorkerPool.get().freeUnused();
      if (before == null) {
        OWN.remove();
      } else {
        OWN.set(before);
      }
      Pools.refresh();
    }
  }

  /** The threads of a {@link WorkerPool}, and of a single operation, in the calling thread. */
  public static int threads() {
    Integer own = OWN.get();
    return own == null ? byDefault : own;
  }

  /** The threads where nobody has asked for others with {@link #use}. */
  static int defaultThreads() {
    return byDefault;
  }

  /**
   * Whether this processor multiplies matrices faster in bfloat16 than in 32 bits: with AMX, or
   * with the AVX-512 instructions of AMD, which do twice as much; Intel's without AMX do half.
   */
  public static boolean bf16IsFast() {
    String forced = System.getProperty("dpo4j.bf16");
    return forced != null ? forced.equals("native") : BF16_IS_FAST;
  }

  private static boolean readBf16() {
    Path file = Path.of("/proc/cpuinfo");
    if (Files.notExists(file) || !oneDnnMayUseBf16()) {
      return false;
    }
    try (Stream<String> lines = Files.lines(file)) {
      String words = lines.limit(40).collect(Collectors.joining(" "));
      return words.contains("amx_bf16")
          || (words.contains("AuthenticAMD") && words.contains("avx512_bf16"));
    } catch (IOException | UncheckedIOException e) {
      return false; // a slower way, the same numbers
    }
  }

  /** Whether the environment leaves oneDNN, which multiplies in bf16, the instructions for that. */
  private static boolean oneDnnMayUseBf16() {
    return Stream.of("ONEDNN_MAX_CPU_ISA", "DNNL_MAX_CPU_ISA") // the older name still counts
        .map(System::getenv)
        .filter(Objects::nonNull)
        .allMatch(
            limit ->
                Stream.of("ALL", "DEFAULT", "BF16", "FP16", "AMX", "AVX10")
                    .anyMatch(limit.toUpperCase(Locale.ROOT)::contains));
  }

  /**
   * The most memory that this process has held at one time, weights, activations, Java and
   * libraries together; empty where the system does not tell (it does on Linux).
   */
  public static OptionalLong peakMemoryBytes() {
    try {
      return Files.readAllLines(Path.of("/proc/self/status")).stream()
          .filter(line -> line.startsWith("VmHWM:"))
          .mapToLong(line -> 1024 * Long.parseLong(line.replaceAll("\\D", ""))) // "VmHWM: 5 kB"
          .findFirst();
    } catch (IOException e) {
      return OptionalLong.empty();
    }
  }

  /**
   * Gives the system back the memory that is free and lies between what is not; good after much was
   * freed that will not come again. Does nothing where the C library cannot do it.
   */
  public static void releaseFreeMemory() {
    if (Platform.isLinux()) {
      try {
        Native.load(Platform.C_LIBRARY_NAME, LibC.class).malloc_trim(0);
      } catch (UnsatisfiedLinkError e) {
        return; // not glibc
      }
    }
  }

  private static boolean load() {
    // JavaCPP refuses allocations past a share of the Java heap by default. Native memory here is
    // weights and activations, which have nothing to do with the size of that heap.
    System.setProperty("org.bytedeco.javacpp.maxBytes", "0");
    System.setProperty("org.bytedeco.javacpp.maxPhysicalBytes", "0");
    prepareEnvironment();
    Loader.load(torch.class);
    return true;
  }

  /**
   * Variables that libraries read when they load or are first used, so that they have to be in the
   * process environment before; Java cannot put them there, libc can. What the user chose stays.
   */
  private static void prepareEnvironment() {
    if (Platform.isWindows()) {
      return;
    }
    LibC libc = Native.load(Platform.C_LIBRARY_NAME, LibC.class);
    // OpenBLAS has a thread pool beside libgomp's. While libgomp's idle threads spin, as they do by
    // default, every change from one pool to the other stalls.
    libc.setenv("OMP_WAIT_POLICY", "PASSIVE", 0);
    // oneDNN remembers how to multiply each shape, 1,024 of them by default. Every batch brings new
    // ones: memory would grow for hundreds of steps.
    if (System.getenv("DNNL_PRIMITIVE_CACHE_CAPACITY") == null) { // its older name
      libc.setenv("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "64", 0);
    }
  }

  /** What is needed of libc, by its names. */
  @SuppressWarnings("UnusedMethod")
  interface LibC extends Library {
    int setenv(String name, String value, int overwrite);

    int malloc_trim(long pad);
  }
}
