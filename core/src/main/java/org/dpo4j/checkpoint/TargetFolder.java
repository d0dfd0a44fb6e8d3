package org.dpo4j.checkpoint;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.Pattern;
import org.dpo4j.OptionText;
import org.dpo4j.UsageException;
import org.dpo4j.data.FileFailure;
import org.dpo4j.data.ShortList;
import org.jspecify.annotations.Nullable;

/**
 * An output path that passed the checks.
 *
 * @param path absolute, links resolved
 * @param exists whether the folder exists (then it is empty, or ours and to be replaced)
 */
record TargetFolder(Path path, boolean exists) {
  /** Files that only this program or transformers' trainer writes. */
  private static final List<String> MARKS = List.of("dpo4j.yaml", "trainer_state.json");

  /** File names that this program, transformers and TRL write; any other file is the user's. */
  private static final Pattern WRITTEN_BY_RUNS =
      Pattern.compile(
          "(config|generation_config|adapter_config|tokenizer|tokenizer_config|added_tokens"
              + "|special_tokens_map|vocab|chat_template|preprocessor_config|processor_config"
              + "|trainer_state|[a-z]+_results)\\.json"
              + "|.*\\.safetensors(\\.index\\.json)?|chat_template\\.jinja"
              + "|additional_chat_templates|merges\\.txt|vocab\\.txt|.*\\.model|.*\\.tiktoken"
              + "|dpo4j\\.yaml|README\\.md|curves\\.(png|svg)|(metrics|ledger|samples)\\.jsonl|(eval|mlflow)\\.json|(report|comparison)\\.html"
              + "|checkpoint-\\d+|nonfinite-step-\\d+|runs|training_args\\.bin|pytorch_model.*\\.bin|optimizer\\.pt"
              + "|scheduler\\.pt|scaler\\.pt|rng_state.*\\.pth|\\.gitattributes|\\.DS_Store");

  /** Whether a run writes a file or folder of this name when it ends. */
  static boolean isResult(String name) {
    return WRITTEN_BY_RUNS.matcher(name).matches() && !LiveFiles.isLive(name);
  }

  private static boolean isHidden(String name) {
    return name.startsWith(".dpo4j-"); // of a live run, or a dead one
  }

  /** Checks the path without changing anything on disk. */
  static TargetFolder check(Path given, List<Path> inputs) {
    Path absolute = given.toAbsolutePath().normalize();
    if (Files.isSymbolicLink(absolute) && !Files.exists(absolute)) {
      throw new UsageException(
          "output_dir",
          "must be a folder",
          "was a link to nothing: %s".formatted(given),
          "remove the link or name another folder");
    }
    Path target = FileTrees.real(absolute);
    for (Path input : inputs) {
      refuseInside(given, target, input);
    }
    if (!Files.exists(absolute)) {
      return new TargetFolder(absolute, false);
    }
    if (!Files.isDirectory(absolute)) {
      throw new UsageException(
          "output_dir",
          "must be a folder",
          "was a file: %s".formatted(given),
          "name another folder");
    }
    Path path = FileTrees.real(absolute);
    for (Path input : inputs) {
      refuseInput(given, path, input);
    }
    return new TargetFolder(path, true);
  }

  /** Checks the files in the folder; call it with the lock held and leftovers removed. */
  void checkContent(Path given, OutputFolder.Existing existing) {
    checkContent(given, existing, Path.of(""));
  }

  void checkContent(Path given, OutputFolder.Existing existing, Path workingDirectory) {
    Set<String> names = new TreeSet<>();
    entries(path).forEach(entry -> names.add(String.valueOf(entry.getFileName())));
    names.removeIf(TargetFolder::isHidden);
    if (names.isEmpty() || existing == OutputFolder.Existing.RESUME) {
      return;
    }
    if (existing == OutputFolder.Existing.REFUSE) {
      boolean resumable = names.stream().anyMatch(name -> name.startsWith("checkpoint-"));
      throw new UsageException(
          "output_dir",
          "must be new or empty",
          "%s holds %s".formatted(given, resumable ? "checkpoints of a run" : "files"),
          resumable
              ? OptionText.of(
                  "pass {resume_from_checkpoint} true to continue that run, {overwrite_output_dir}"
                      + " to start again and replace it, or name another folder")
              : OptionText.of("name another folder, or pass {overwrite_output_dir} to replace it"));
    }
    requireReplaceable(given, names, FileTrees.real(workingDirectory.toAbsolutePath()));
  }

  /** Creates the folder with missing parents and returns what was created, deepest last. */
  List<Path> create() {
    Deque<Path> missing = new ArrayDeque<>();
    @Nullable Path next = path;
    while (next != null && !Files.exists(next, LinkOption.NOFOLLOW_LINKS)) {
      missing.push(next);
      next = next.getParent();
    }
    if (next != null && !Files.isDirectory(next)) {
      throw new UsageException(
          "output_dir",
          "must lie in a folder",
          "%s is a file".formatted(next),
          "name another folder");
    }
    List<Path> created = new ArrayList<>();
    for (Path folder : missing) {
      try {
        Files.createDirectory(folder);
        created.add(folder);
        FileTrees.forceFolder(folder.toAbsolutePath().getParent());
      } catch (IOException e) {
        FileTrees.removeEmpty(created);
        throw notWritable(folder, e);
      }
    }
    return created;
  }

  static UsageException notWritable(Path folder, IOException failure) {
    return new UsageException(
        "output_dir",
        "must be writable",
        "nothing can be created in %s: %s".formatted(folder, FileFailure.reason(failure)),
        "name another folder",
        failure);
  }

  private static void refuseInput(Path given, Path target, Path input) {
    Path absolute = input.toAbsolutePath().normalize();
    boolean linkInside = absolute.startsWith(target);
    boolean inside = Files.exists(absolute) && FileTrees.real(absolute).startsWith(target);
    if (linkInside || inside) {
      throw new UsageException(
          "output_dir",
          "must not hold what this run reads",
          given + (FileTrees.real(absolute).equals(target) ? " is read itself" : " holds " + input),
          "name another folder");
    }
  }

  /** Refuses a target inside an input folder, which would then hold a model and its successor. */
  private static void refuseInside(Path given, Path target, Path input) {
    Path folder = FileTrees.real(input);
    if (target.startsWith(folder) && !target.equals(folder) && Files.isDirectory(folder)) {
      throw new UsageException(
          "output_dir",
          "must not lie in a folder that this run reads",
          "%s is in %s".formatted(given, input),
          "name a folder outside it");
    }
  }

  private void requireReplaceable(Path given, Set<String> names, Path workingDirectory) {
    if (MARKS.stream().noneMatch(names::contains) && names.stream().noneMatch(this::isOfRun)) {
      throw new UsageException(
          "overwrite_output_dir",
          "replaces only a folder that a run wrote (with %s in it)"
              .formatted(String.join(" or ", MARKS)),
          "%s is none".formatted(given),
          "empty it yourself or name another folder");
    }
    List<String> foreign =
        names.stream().filter(name -> !WRITTEN_BY_RUNS.matcher(name).matches()).toList();
    if (!foreign.isEmpty()) {
      throw new UsageException(
          "overwrite_output_dir",
          "replaces only what a run wrote",
          "%s also holds %s".formatted(given, ShortList.of(foreign, 1)),
          "move %s away or name another folder".formatted(foreign.size() == 1 ? "it" : "them"));
    }
    if (workingDirectory.startsWith(path) && !workingDirectory.equals(path)) {
      throw new UsageException(
          "overwrite_output_dir",
          "must not remove the working directory",
          "%s holds it".formatted(given),
          "start from another folder");
    }
  }

  /** Whether an entry is a checkpoint, or the reproduction of a step that failed. */
  private boolean isOfRun(String name) {
    Path entry = path.resolve(name);
    return LiveFiles.isLive(name)
        && (Files.isRegularFile(entry.resolve(Checksums.FILE))
            || Files.isRegularFile(entry.resolve("dpo4j.yaml")));
  }

  private static List<Path> entries(Path folder) {
    try {
      return FileTrees.entries(folder);
    } catch (IOException e) {
      throw new UsageException(
          "output_dir",
          "must be readable",
          "%s is not: %s".formatted(folder, FileFailure.reason(e)),
          "",
          e);
    }
  }
}
