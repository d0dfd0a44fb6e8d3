package org.dpo4j.torch;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

/**
 * Closes: a library user whose training runs at half the speed, because the engine's thread pools
 * were loaded before they were told to wait passively. libgomp says itself what it was told: it
 * prints PASSIVE for no policy at all too, but then spins 300,000 times before it sleeps, and 0
 * times only when it was told.
 */
class EngineEnvironmentTest {

  /** The program of the child process. */
  static final class StartEngine {
    private StartEngine() {}

    public static void main(String[] arguments) {
      Engine.start();
    }
  }

  @Test
  void theEngineWaitsPassivelyWithoutBeingToldTo() throws Exception {
    assertThat(displayedByAChild(null))
        .contains("OMP_WAIT_POLICY = 'PASSIVE'", "GOMP_SPINCOUNT = '0'");
  }

  @Test
  void whatTheUserChoseIsKept() throws Exception {
    assertThat(displayedByAChild("ACTIVE")).contains("OMP_WAIT_POLICY = 'ACTIVE'");
  }

  /** What a JVM of its own prints while the engine starts. */
  private static String displayedByAChild(@Nullable String waitPolicy)
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
    if (waitPolicy != null) {
      builder.environment().put("OMP_WAIT_POLICY", waitPolicy);
    }
    builder.environment().put("OMP_DISPLAY_ENV", "VERBOSE");
    Process child = builder.redirectErrorStream(true).start();
    String output = new String(child.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    assertThat(child.waitFor()).as(output).isZero();
    return output;
  }
}
