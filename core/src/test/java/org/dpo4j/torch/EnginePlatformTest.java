package org.dpo4j.torch;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.File;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.stream.Collectors;
import org.bytedeco.javacpp.Loader;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * Closes: a Gradle user, whose build does not evaluate the profiles of our POM, and a user of a
 * processor without a libtorch, who get a linkage error that says neither what is missing nor
 * whether there is one.
 */
class EnginePlatformTest {

  @Test
  void nativeLibrariesThatAreNotOnTheClassPathAreNamed(@TempDir Path home) throws Exception {
    String classPath =
        Arrays.stream(System.getProperty("java.class.path").split(File.pathSeparator))
            .filter(
                entry -> !Path.of(entry).getFileName().toString().contains(Loader.getPlatform()))
            .collect(Collectors.joining(File.pathSeparator));
    Process child =
        new ProcessBuilder(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-Dorg.bytedeco.javacpp.cachedir=" + home,
                "-cp",
                classPath,
                EngineEnvironmentTest.StartEngine.class.getName())
            .redirectErrorStream(true)
            .start();
    String output = new String(child.getInputStream().readAllBytes(), StandardCharsets.UTF_8);

    assertThat(child.waitFor()).isEqualTo(1);
    assertThat(output)
        .contains(
            "libtorch for %s is not on the class path; add the artifacts javacpp, openblas and pytorch"
                .formatted(Loader.getPlatform()));
  }

  @Test
  void aPlatformWithoutLibtorchIsNamed() {
    UnsatisfiedLinkError error =
        new UnsatisfiedLinkError("no jniopenblas_nolapack in java.library.path: lib");

    assertThat(Engine.absent("linux-arm64", error))
        .hasValueSatisfying(
            message ->
                assertThat(message)
                    .startsWith(
                        "there is no libtorch for linux-arm64; dpo4j runs on linux-x86_64"));
    assertThat(Engine.absent("linux-x86_64", new UnsatisfiedLinkError("libm.so.6: not found")))
        .isEmpty();
  }
}
