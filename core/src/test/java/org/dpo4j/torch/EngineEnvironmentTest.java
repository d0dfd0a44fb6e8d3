package org.dpo4j.torch;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import com.sun.jna.Library;
import com.sun.jna.Native;
import com.sun.jna.Platform;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Map;
import org.junit.jupiter.api.Test;

/**
 * Closes: a library user whose training runs at half the speed, because the engine's thread pools
 * were loaded before they were told to wait passively. libgomp says itself what it was told: it
 * prints PASSIVE for no policy at all too, but then spins 300,000 times before it sleeps, and 0
 * times only when it was told. And one whose memory grows for hundreds of steps, because oneDNN
 * remembers every shape.
 */
class EngineEnvironmentTest {

  private static final String CACHE_CAPACITY = "ONEDNN_PRIMITIVE_CACHE_CAPACITY";

  /** The program of the child process. */
  static final class StartEngine {
    private StartEngine() {}

    public static void main(String[] arguments) {
      Engine.start();
      String capacity = Native.load(Platform.C_LIBRARY_NAME, LibC.class).getenv(CACHE_CAPACITY);
      System.out.println(CACHE_CAPACITY + " = '" + capacity + "'");
      System.out.println("bf16 is fast: " + Engine.bf16IsFast());
    }
  }

  /** What is needed of libc, by its names: Java's own view of the environment is older. */
  interface LibC extends Library {
    String getenv(String name);
  }

  @Test
  void theEngineWaitsPassivelyWithoutBeingToldTo() throws Exception {
    assertThat(displayedByAChild(Map.of()))
        .contains("OMP_WAIT_POLICY = 'PASSIVE'", "GOMP_SPINCOUNT = '0'");
  }

  @Test
  void whatTheUserChoseIsKept() throws Exception {
    assertThat(displayedByAChild(Map.of("OMP_WAIT_POLICY", "ACTIVE", CACHE_CAPACITY, "7")))
        .contains("OMP_WAIT_POLICY = 'ACTIVE'", CACHE_CAPACITY + " = '7'");
  }

  /** With its own number of them, memory grows for hundreds of steps. */
  @Test
  void oneDnnRemembersFewShapes() throws Exception {
    assertThat(displayedByAChild(Map.of())).contains(CACHE_CAPACITY + " = '64'");
  }

  /** Emulated with older instructions, one large product in bf16 takes minutes. */
  @Test
  void bf16IsNotFastWhereOneDnnIsKeptFromItsInstructions() throws Exception {
    assertThat(displayedByAChild(Map.of("ONEDNN_MAX_CPU_ISA", "AVX2")))
        .contains("bf16 is fast: false");
    assertThat(displayedByAChild(Map.of("DNNL_MAX_CPU_ISA", "avx512_core")))
        .contains("bf16 is fast: false");
    String unlimited = displayedByAChild(Map.of());
    String fast = unlimited.substring(unlimited.indexOf("bf16 is fast: ")).strip();
    assertThat(displayedByAChild(Map.of("ONEDNN_MAX_CPU_ISA", "AVX512_CORE_AMX"))).contains(fast);
  }

  /** What a JVM of its own prints while the engine starts. */
  private static String displayedByAChild(Map<String, String> chosen)
      throws IOException, InterruptedException {
    assumeTrue(
        System.getProperty("os.name").startsWith("Linux"),
        "only on Linux does the engine come with libgomp, which displays its settings");
    ProcessBuilder builder =
        new ProcessBuilder(
            Path.of(System.getProperty("java.home"), "bin", "java").toString(),
            "-Xmx256m",
            "-cp",
            System.getProperty("java.class.path"),
            StartEngine.class.getName());
    builder.environment().remove("OMP_WAIT_POLICY");
    builder.environment().remove("GOMP_SPINCOUNT");
    builder.environment().remove(CACHE_CAPACITY);
    builder.environment().remove("ONEDNN_MAX_CPU_ISA");
    builder.environment().putAll(chosen);
    builder.environment().put("OMP_DISPLAY_ENV", "VERBOSE");
    Process child = builder.redirectErrorStream(true).start();
    String output = new String(child.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    assertThat(child.waitFor()).as(output).isZero();
    return output;
  }
}
