package org.dpo4j.config;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import org.dpo4j.OptionText;
import org.dpo4j.UsageException;
import org.dpo4j.options.ReadableFile;
import org.dpo4j.weights.HubName;
import org.dpo4j.weights.PeftAdapter;

/** Checks that the paths in options exist, before any work starts. */
public final class InputPaths {
  private InputPaths() {}

  /** Checks that a path is the folder of a model; throws UsageException naming the option. */
  public static void requireModel(String option, Path path) {
    requireThere(option, path);
    if (!Files.exists(path.resolve("config.json"))) {
      throw new UsageException(
          option,
          "must be a checkpoint folder with a config.json",
          "%s has none".formatted(path),
          Files.exists(path.resolve(PeftAdapter.CONFIG))
              ? OptionText.of(
                  "it is an adapter, so pass its model as {%s} and it as {adapter}", option)
              : "check the path");
    }
  }

  /**
   * Requires a folder; if the path looks like a hub name, the message explains how to download it.
   */
  private static void requireThere(String option, Path path) {
    String name = path.toString().replace('\\', '/');
    if (mayBeOfHub(path, name)) {
      throw new UsageException(
          option,
          "must be a folder",
          "was %s, which is not there%s".formatted(name, ReadableFile.from(path)),
          OptionText.of(
              "if it is a model of the Hugging Face hub, download it first:"
                  + " ./dpo4j download %s --output_dir %s, and pass that folder",
              name, name.substring(name.indexOf('/') + 1)));
    }
    requireFolder(option, path);
  }

  /**
   * Whether a path that does not exist has the form of a hub name, and its first part is not an
   * existing folder.
   */
  private static boolean mayBeOfHub(Path path, String name) {
    return !Files.exists(path) && HubName.hasOwner(name) && !Files.isDirectory(path.getName(0));
  }

  static void requireFolder(String option, Path path) {
    if (!Files.isDirectory(path)) {
      throw new UsageException(
          option,
          "must be a folder",
          "was %s, which is %s"
              .formatted(
                  path, Files.exists(path) ? "a file" : "not there" + ReadableFile.from(path)),
          "check the path");
    }
  }

  /** A file of a run, of which the user may name the folder or the file itself. */
  static Path inRun(Path run, String file) {
    return Files.isDirectory(run) ? run.resolve(file) : run;
  }

  /**
   * Checks that a file of a run exists.
   *
   * @param run value of the option of that name
   * @param whyNot why a folder may have none
   */
  static void requireInRun(Path run, String file, String whyNot) {
    if (!Files.isRegularFile(inRun(run, file))) {
      throw new UsageException(
          "run",
          "must be a %s, or a folder with one,".formatted(file),
          "was " + run,
          Files.isDirectory(run) ? whyNot : "name the output_dir of a run");
    }
  }

  /** Whether a folder is an adapter's and no model's. */
  public static boolean isAdapter(Path path) {
    return Files.exists(path.resolve(PeftAdapter.CONFIG))
        && !Files.exists(path.resolve("config.json"));
  }

  /**
   * Checks the folders of several models, of their reference and of the model under adapters.
   *
   * @param models whole models or adapters, each of which may be named once
   */
  static void requireModels(
      List<Path> models, Optional<Path> reference, Optional<Path> baseOfAdapters) {
    Set<Path> seen = new HashSet<>();
    for (Path path : models) {
      if (isAdapter(path)) {
        requireAdapter(path);
      } else {
        requireModel("model", path);
      }
      if (!seen.add(path.toAbsolutePath().normalize())) {
        throw new UsageException(
            "model", "must name each model once", "%s is there twice".formatted(path), "keep one");
      }
    }
    reference.ifPresent(path -> requireModel("ref_model", path));
    baseOfAdapters.ifPresent(path -> requireModel("base_model", path));
  }

  /** Checks the folder of the option {@code adapter}. */
  public static void requireAdapter(Path path) {
    requireThere("adapter", path);
    if (!Files.exists(path.resolve(PeftAdapter.CONFIG))) {
      throw new UsageException(
          "adapter",
          "must be an adapter's folder with an %s".formatted(PeftAdapter.CONFIG),
          "%s has none".formatted(path),
          Files.exists(path.resolve("config.json"))
              ? OptionText.of("it is a whole model, so pass it as {model}")
              : "check the path");
    }
  }

  /** The folder of the option {@code resume_from_checkpoint}. */
  static Path checkpoint(String text) {
    Path path = Path.of(text);
    requireFolder("resume_from_checkpoint", path);
    return path;
  }

  /** Refuses a missing path in the form of a hub name with how to download it. */
  static void requireData(String option, Path path) {
    String name = path.toString().replace('\\', '/');
    if (mayBeOfHub(path, name) && !name.matches(".*\\.\\w+")) {
      throw new UsageException(
          option,
          "must be files with rows of data",
          "was %s, which is not there%s".formatted(name, ReadableFile.from(path)),
          OptionText.of(
              "if it is a data set of the Hugging Face hub, download it first:"
                  + " ./dpo4j download %s --type dataset --output_dir %s",
              name, name.substring(name.indexOf('/') + 1)));
    }
    if (!Files.exists(path) && !name.matches(".*[*?\\[{].*")) {
      ReadableFile.require(option, path);
    }
  }
}
