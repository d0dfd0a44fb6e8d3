package org.dpo4j.config;

import java.nio.file.Path;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Stream;
import org.dpo4j.OptionText;
import org.dpo4j.UsageException;
import org.dpo4j.checkpoint.FileTrees;

/** The folder of the option {@code reference_cache}, with the log-probabilities of references. */
public final class CacheFolder {
  private static final String BESIDE_OUTPUT = "reference_cache";

  /** YAML 1.1 parsers, and tools that rewrite YAML files, turn a bare off into false. */
  private static final Set<String> OFF = Set.of("off", "false");

  private CacheFolder() {}

  /**
   * The folder; empty for off. The default is a folder beside {@code output_dir}, which runs with
   * sibling output folders share.
   *
   * @throws UsageException if it is the output folder or lies in it, because the output folder is
   *     published as a whole, or if it lies in the folder of a model or adapter that is read
   */
  public static Optional<Path> of(TrainingConfig config) {
    Optional<Path> given = config.loss().referenceCache();
    if (given.isPresent() && OFF.contains(given.get().toString())) {
      return Optional.empty();
    }
    Path output = config.output().outputDir().toAbsolutePath().normalize();
    Path folder = given.orElseGet(() -> output.resolveSibling(BESIDE_OUTPUT));
    if (folder.toAbsolutePath().normalize().startsWith(output)) {
      throw new UsageException(
          "reference_cache",
          OptionText.of("must not be {output_dir} or lie in it"),
          "is %s".formatted(folder),
          OptionText.of("name another folder, or pass {reference_cache} off"));
    }
    given.ifPresent(path -> refuseInputs(path, config));
    Path here = Path.of("").toAbsolutePath();
    return Optional.of(
        given.isEmpty() && folder.startsWith(here) ? here.relativize(folder) : folder);
  }

  /**
   * Needs no check for the default folder: it is beside the output folder, which is in no input
   * folder.
   */
  private static void refuseInputs(Path given, TrainingConfig config) {
    Stream.of(
            Optional.of(config.model().model()), config.model().adapter(), config.loss().refModel())
        .flatMap(Optional::stream)
        .filter(input -> FileTrees.real(given).startsWith(FileTrees.real(input)))
        .findFirst()
        .ifPresent(
            input -> {
              throw new UsageException(
                  "reference_cache",
                  "must not lie in a folder that this run reads",
                  "%s is in %s".formatted(given, input),
                  OptionText.of("name another folder, or pass {reference_cache} off"));
            });
  }
}
