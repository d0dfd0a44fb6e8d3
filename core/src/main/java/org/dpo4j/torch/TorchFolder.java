package org.dpo4j.torch;

import com.sun.jna.Platform;
import java.io.File;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Objects;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.dpo4j.UsageException;
import org.jspecify.annotations.Nullable;

/**
 * The libtorch of a PyTorch installation, which takes the place of the one on the class path: with
 * it come the CUDA libraries that no artifact on the class path holds.
 *
 * @param path the folder {@code lib} of a wheel, or of an unpacked libtorch
 */
record TorchFolder(Path path) {

  /** The environment variable that names the folder. */
  static final String VARIABLE = "DPO4J_TORCH_LIB";

  /** The Java binding is compiled for 2.10; 2.11 has all functions that are called. */
  private static final String VERSIONS = "2\\.1[01]\\..*";

  private static final Pattern OF_WHEEL = Pattern.compile("__version__ = '([^']*)'");
  private static final Pattern MISSING =
      Pattern.compile("(\\S+\\.so[.\\d]*): cannot open shared object file");

  /**
   * The folder that the environment names; empty for none.
   *
   * @throws UsageException if it holds no libtorch of a version that works
   */
  static Optional<TorchFolder> ofEnvironment() {
    String named = System.getenv(VARIABLE);
    return named == null || named.isBlank()
        ? Optional.empty()
        : Optional.of(new TorchFolder(Path.of(named).toAbsolutePath()).checked());
  }

  TorchFolder checked() {
    for (String library : new String[] {"c10", "torch_cpu", "torch"}) {
      Path file = path.resolve(System.mapLibraryName(library));
      if (!Files.exists(file)) {
        throw mustBe("%s is not there".formatted(file));
      }
      if (Platform.isLinux() && !ElfFile.isWhole(file)) {
        throw mustBe("%s is damaged, or a library of another kind of processor".formatted(file));
      }
    }
    String version = version().orElseThrow(() -> mustBe(path + " does not tell its version"));
    if (!version.matches(VERSIONS)) {
      throw mustBe("%s is of version %s".formatted(path, version));
    }
    return this;
  }

  private static UsageException mustBe(String found) {
    return new UsageException(
        "%s must be the folder lib of PyTorch or libtorch 2.10 or 2.11 but %s; for a wheel, python3 -c \"import torch; print(torch.__path__[0] + '/lib')\" prints it"
            .formatted(VARIABLE, found));
  }

  /** From {@code version.py} of a wheel, or {@code build-version} of libtorch. */
  private Optional<String> version() {
    Path above = path.resolveSibling("version.py");
    Path build = path.resolveSibling("build-version");
    try {
      if (Files.exists(above)) {
        Matcher matcher = OF_WHEEL.matcher(Files.readString(above, StandardCharsets.UTF_8));
        return matcher.find() ? Optional.of(matcher.group(1)) : Optional.empty();
      }
      return Files.exists(build)
          ? Optional.of(Files.readString(build, StandardCharsets.UTF_8).strip())
          : Optional.empty();
    } catch (IOException e) {
      return Optional.empty();
    }
  }

  /** Makes JavaCPP, which has loaded nothing yet, load the libraries of the folder. */
  void prefer() {
    System.setProperty("org.bytedeco.javacpp.pathsFirst", "true");
    System.setProperty(
        "java.library.path",
        path + File.pathSeparator + System.getProperty("java.library.path", ""));
    // PyTorch has MKL inside. With OpenBLAS beside it, functions of one call those of the other.
    System.setProperty("org.bytedeco.openblas.load", "none");
  }

  /**
   * Why the libraries did not load, if a library that they need is not on the machine.
   *
   * @param folder where they were to be loaded from; empty for the class path
   */
  static Optional<String> lacks(Optional<TorchFolder> folder, UnsatisfiedLinkError error) {
    return Stream.<@Nullable Throwable>iterate(error, Objects::nonNull, Throwable::getCause)
        .map(cause -> MISSING.matcher(String.valueOf(cause.getMessage())))
        .filter(Matcher::find)
        .findFirst()
        .map(matcher -> lacks(folder, matcher.group(1)));
  }

  private static String lacks(Optional<TorchFolder> folder, String library) {
    return "libtorch from %s needs %s, which was not found; %s"
        .formatted(
            folder.map(f -> f.path().toString()).orElse("the class path"),
            library,
            library.matches("lib(cu(?!rl)|nv|nccl).*")
                ? "it is part of CUDA, which comes with PyTorch: run pip install torch==2.10.0, and"
                    + " name the folder lib of that torch in "
                    + VARIABLE
                : "install the package of your system that has it");
  }
}
