package org.dpo4j.torch;

import com.sun.jna.Library;
import com.sun.jna.Native;
import com.sun.jna.Platform;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.Objects;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.function.Supplier;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.bytedeco.javacpp.Loader;
import org.bytedeco.pytorch.global.torch;
import org.dpo4j.DpoException;
import org.dpo4j.UsageException;
import org.dpo4j.data.NativeFolder;
import org.jspecify.annotations.Nullable;

/**
 * Loads libtorch once, after setting the environment variables that it reads while loading. Every
 * class of this package starts it; calling {@link #start} earlier is harmless.
 */
public final class Engine {

  /** What JavaCPP publishes libtorch for. */
  private static final List<String> PLATFORMS =
      List.of("linux-x86_64", "macosx-arm64", "macosx-x86_64", "windows-x86_64");

  /** Properties of JavaCPP and JNA that name where they unpack their libraries. */
  private static final List<String> TORCH_FOLDERS =
      List.of("org.bytedeco.javacpp.cachedir", "org.bytedeco.javacpp.cacheDir");

  private static final String JNA_FOLDER = "jna.tmpdir";

  private static final Pattern NOT_UNPACKED =
      Pattern.compile("^no jni\\w+ in java\\.library\\.path");

  private static final @Nullable Supplier<DpoException> FAILURE = load();
  private static final boolean BF16_IS_FAST = readBf16();
  private static final int INITIAL_THREADS = FAILURE == null ? torch.get_num_threads() : 1;
  private static final ThreadLocal<Integer> OWN = new ThreadLocal<>();
  private static volatile int byDefault = INITIAL_THREADS;

  private Engine() {}

  /**
   * Loads the native libraries if that has not happened yet (about a second the first time).
   *
   * @throws DpoException if they cannot be loaded; a {@link UsageException} if the environment
   *     names or has the wrong ones
   */
  public static void start() {
    if (FAILURE != null) {
      throw FAILURE.get();
    }
  }

  /**
   * Sets the default number of threads of passes, the optimizer and single operations; {@link #use}
   * overrides it. Open passes keep the threads that they started with.
   *
   * @param threads at least 1; more than the number of cores is slower. 0 for the number that the
   *     process started with: one per core unless its environment sets another
   */
  public static void setThreads(int threads) {
    int number = number(threads);
    if (number != byDefault) {
      WorkerPool.get().freeUnused(); // the pool may never be used again
    }
    byDefault = number;
    Pools.refresh();
  }

  /**
   * As {@link #setThreads}, for the calling thread alone, which must close the result: for
   * concurrent runs.
   */
  public static Threads use(int threads) {
    start();
    return new Threads(number(threads));
  }

  private static int number(int threads) {
    if (threads < 0) {
      throw new UsageException("threads", "must not be negative", "was " + threads, "");
    }
    return threads == 0 ? INITIAL_THREADS : threads;
  }

  /** A number of threads, until the thread that set it closes this. */
  public static final class Threads implements AutoCloseable {
    private final Thread owner = Thread.currentThread();
    private final @Nullable Integer before = OWN.get();

    private Threads(int threads) {
      OWN.set(threads);
      Pools.refresh();
    }

    /** Restores the number and frees the unused memory of the pool of that size. */
    @Override
    public void close() {
      if (Thread.currentThread() != owner) {
        throw new IllegalStateException(
            "the number of threads of %s must be restored by that thread but was by %s"
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

  /** The number of threads of a {@link WorkerPool} and of an operation, for the calling thread. */
  public static int threads() {
    Integer own = OWN.get();
    return own == null ? byDefault : own;
  }

  /** The number of threads without {@link #use}. */
  static int defaultThreads() {
    return byDefault;
  }

  /**
   * Whether this processor multiplies matrices faster in bfloat16 than in fp32. It does with AMX
   * and with AMD's AVX-512 instructions, at twice the speed; Intel's AVX-512 without AMX takes
   * twice the time.
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
      return false; // slower, with the same result
    }
  }

  /** Whether the environment lets oneDNN, which multiplies in bf16, use the instructions. */
  private static boolean oneDnnMayUseBf16() {
    return Stream.of(
            "ONEDNN_MAX_CPU_ISA", "DNNL_MAX_CPU_ISA") // the second name is older and still valid
        .map(System::getenv)
        .filter(Objects::nonNull)
        .allMatch(
            limit ->
                Stream.of("ALL", "DEFAULT", "BF16", "FP16", "AMX", "AVX10")
                    .anyMatch(limit.toUpperCase(Locale.ROOT)::contains));
  }

  /**
   * The peak resident memory of this process: weights, activations, Java and libraries; empty if
   * the system does not report it (Linux does).
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
   * Returns free memory of the malloc heap to the system, after much was freed that will not be
   * allocated again. Does nothing if the C library has no such function.
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

  /** Returns why the libraries were not loaded; null if they were. */
  private static @Nullable Supplier<DpoException> load() {
    // By default JavaCPP limits native memory to a multiple of the Java heap. Weights and
    // activations need memory that does not depend on the heap.
    System.setProperty("org.bytedeco.javacpp.maxBytes", "0");
    System.setProperty("org.bytedeco.javacpp.maxPhysicalBytes", "0");
    Optional<TorchFolder> folder = Optional.empty();
    try {
      chooseFolders();
      prepareEnvironment();
      folder = TorchFolder.ofEnvironment();
      folder.ifPresent(TorchFolder::prefer);
      Loader.load(torch.class);
      return null;
    } catch (UsageException e) {
      return () -> new UsageException(String.valueOf(e.getMessage()), e);
    } catch (DpoException e) {
      return () -> new DpoException(String.valueOf(e.getMessage()), e);
    } catch (UnsatisfiedLinkError e) {
      Optional<String> named = folder.map(used -> TorchFolder.VARIABLE + ": " + e.getMessage());
      Optional<String> usage =
          TorchFolder.lacks(folder, e).or(() -> named).or(() -> absent(Loader.getPlatform(), e));
      return usage.isPresent()
          ? () -> new UsageException(usage.get(), e)
          : () -> new DpoException(notLoaded(e), e);
    }
  }

  private static String notLoaded(UnsatisfiedLinkError error) {
    return ("the native libraries must load but did not: %s; they are unpacked below [%s] and [%s],"
            + " which must take 450 MB and let programs run")
        .formatted(
            error.getMessage(),
            System.getProperty(TORCH_FOLDERS.get(0)),
            System.getProperty(JNA_FOLDER));
  }

  /** Chooses where JavaCPP and JNA unpack their libraries, unless the user did. */
  private static void chooseFolders() {
    if (TORCH_FOLDERS.stream().map(System::getProperty).allMatch(Objects::isNull)) {
      System.setProperty(
          TORCH_FOLDERS.get(0), NativeFolder.inHome(".javacpp").resolve("cache").toString());
    }
    if (System.getProperty(JNA_FOLDER) == null && !Platform.isWindows()) {
      System.setProperty(JNA_FOLDER, NativeFolder.of(usualJnaFolder()).resolve("temp").toString());
    }
  }

  /**
   * Why the libraries did not load, if those of the platform are not on the class path.
   *
   * @param platform JavaCPP's name of it
   */
  static Optional<String> absent(String platform, UnsatisfiedLinkError error) {
    if (!NOT_UNPACKED.matcher(String.valueOf(error.getMessage())).find()) {
      return Optional.empty();
    }
    return Optional.of(
        PLATFORMS.contains(platform)
            ? ("libtorch for %s is not on the class path; add the artifacts javacpp, openblas and"
                    + " pytorch of org.bytedeco with the classifier %s")
                .formatted(platform, platform)
            : "there is no libtorch for %s; dpo4j runs on %s"
                .formatted(platform, String.join(", ", PLATFORMS)));
  }

  private static Path usualJnaFolder() {
    String cache = System.getenv("XDG_CACHE_HOME");
    Path folder =
        cache == null || cache.isBlank()
            ? Path.of(
                System.getProperty("user.home", ""), Platform.isMac() ? "Library/Caches" : ".cache")
            : Path.of(cache);
    return folder.resolve("JNA");
  }

  /**
   * Sets variables that libraries read when they load or are first used. Java cannot change the
   * process environment, so libc does. Values that the user set are kept.
   */
  private static void prepareEnvironment() {
    if (Platform.isWindows()) {
      return;
    }
    NativeFolder.removeLeftovers(Path.of(System.getProperty(JNA_FOLDER, "")), "jna*");
    LibC libc = Native.load(Platform.C_LIBRARY_NAME, LibC.class);
    // OpenBLAS and libgomp have a thread pool each. By default libgomp's idle threads spin, which
    // stalls every switch from one pool to the other.
    libc.setenv("OMP_WAIT_POLICY", "PASSIVE", 0);
    // oneDNN caches a primitive for each shape of a product, 1,024 by default. Every batch has new
    // shapes, so memory would grow for hundreds of steps.
    if (System.getenv("DNNL_PRIMITIVE_CACHE_CAPACITY") == null) { // its older name
      libc.setenv("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "64", 0);
    }
  }

  /** Functions of libc. */
  @SuppressWarnings("UnusedMethod")
  interface LibC extends Library {
    int setenv(String name, String value, int overwrite);

    int malloc_trim(long pad);
  }
}
