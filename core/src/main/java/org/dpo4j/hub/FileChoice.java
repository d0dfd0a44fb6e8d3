package org.dpo4j.hub;

import java.nio.file.FileSystems;
import java.nio.file.PathMatcher;
import java.text.Normalizer;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.function.Predicate;
import java.util.regex.PatternSyntaxException;
import java.util.stream.Stream;
import org.dpo4j.DpoException;
import org.dpo4j.OptionText;
import org.dpo4j.UsageException;
import org.dpo4j.data.DataFile;
import org.dpo4j.data.ShortList;
import org.dpo4j.options.Suggestion;
import org.dpo4j.weights.ModelFolder;

/**
 * Which files of a repository are fetched: those that match patterns, or those that dpo4j reads.
 */
public final class FileChoice {
  private static final List<String> ABOUT = List.of("README.md", "LICENSE*", "NOTICE*");

  /** Describes a data set for Python's datasets; a folder of rows would take it for rows. */
  private static final String DATASET_INFOS = "dataset_infos.json";

  private static final String WEIGHTS = ".safetensors";
  private static final int SHOWN = 12;

  private final RepositoryType type;
  private final Predicate<HubFile> matches;

  /** What the user named; nothing for the usual files. */
  private final List<String> patterns;

  private FileChoice(RepositoryType type, List<String> patterns, Predicate<HubFile> matches) {
    this.type = type;
    this.patterns = patterns;
    this.matches = matches;
  }

  /**
   * What dpo4j reads of a model (weights in safetensors, configuration, tokenizer) or of a data set
   * (files of rows), and what says what it is (README, license).
   */
  public static FileChoice usual(RepositoryType type) {
    if (type == RepositoryType.MODEL) {
      return new FileChoice(
          type, List.of(), any(Stream.concat(ModelFolder.PATTERNS.stream(), ABOUT.stream()), true));
    }
    Predicate<HubFile> about = any(ABOUT.stream(), true);
    return new FileChoice(
        type,
        List.of(),
        file ->
            about.test(file)
                || (DataFile.isNamed(file.place(false)) && !file.name().equals(DATASET_INFOS)));
  }

  /**
   * The files that match a pattern: {@code *}, {@code ?}, {@code [..]}, {@code {a,b}}, and {@code
   * **} for any folders. A pattern without a slash is matched with names in all folders, one with a
   * slash with whole paths.
   *
   * @throws UsageException if one is no pattern
   */
  public static FileChoice of(RepositoryType type, List<String> patterns) {
    return new FileChoice(type, List.copyOf(patterns), any(patterns.stream(), false));
  }

  private static Predicate<HubFile> any(Stream<String> patterns, boolean wholePaths) {
    return patterns
        .map(pattern -> one(pattern, wholePaths || pattern.contains("/")))
        .reduce(file -> false, Predicate::or);
  }

  private static Predicate<HubFile> one(String pattern, boolean wholePath) {
    try {
      PathMatcher matcher = FileSystems.getDefault().getPathMatcher("glob:" + pattern);
      return file -> matcher.matches(file.place(wholePath));
    } catch (PatternSyntaxException e) {
      throw new UsageException(
          "include",
          "must be a pattern of file names",
          "%s is none: %s".formatted(pattern, e.getDescription()),
          "check its brackets",
          e);
    }
  }

  /**
   * The chosen files.
   *
   * @throws DpoException if there is none, a model has no weights that dpo4j reads, a file cannot
   *     be fetched, or two would be one where capital and small letters are the same
   */
  List<HubFile> of(Repository repository, List<HubFile> files) {
    boolean usual = patterns.isEmpty();
    List<HubFile> chosen = files.stream().filter(matches).toList();
    if (usual && type == RepositoryType.MODEL) {
      requireWeights(repository, chosen, files);
    }
    if (chosen.isEmpty() || (usual && chosen.stream().allMatch(any(ABOUT.stream(), true)))) {
      throw new DpoException(
          "%s has no file %s; it has %s%s"
              .formatted(
                  repository.name(),
                  usual ? "with rows that dpo4j reads" : OptionText.of("that {include} matches"),
                  names(files),
                  usual
                      ? OptionText.of("; {include} fetches others")
                      : patterns.stream()
                          .flatMap(pattern -> nearest(pattern, files).stream())
                          .findFirst()
                          .map("; did you mean %s?"::formatted)
                          .orElse("")));
    }
    chosen.forEach(HubFile::requireSound);
    requireApart(repository, chosen);
    return chosen;
  }

  /** A sentence for each pattern of the user that matches no file. */
  List<String> unmatched(Repository repository, List<HubFile> files) {
    return patterns.stream()
        .filter(pattern -> files.stream().noneMatch(one(pattern, pattern.contains("/"))))
        .map(
            pattern ->
                OptionText.of(
                    "{include} %s matches no file of %s%s",
                    pattern,
                    repository.name(),
                    nearest(pattern, files)
                        .map("; did you mean %s?"::formatted)
                        .orElse("; check the pattern")))
        .toList();
  }

  private static Optional<String> nearest(String pattern, List<HubFile> files) {
    return Suggestion.nearest(
        pattern,
        files.stream().map(file -> pattern.contains("/") ? file.path() : file.name()).toList());
  }

  /** Refuses names that cannot stand beside one another in a folder of some system. */
  private static void requireApart(Repository repository, List<HubFile> chosen) {
    Map<String, HubFile> byName = new HashMap<>();
    for (HubFile file : chosen) {
      HubFile other = byName.put(folded(file), file);
      if (other != null) {
        throw clash(repository, "differ by more than capital letters", other, file);
      }
    }
    for (HubFile file : chosen) {
      String name = folded(file);
      for (int end = name.indexOf('/'); end >= 0; end = name.indexOf('/', end + 1)) {
        HubFile other = byName.get(name.substring(0, end));
        if (other != null) {
          throw clash(repository, "be of files or of folders", other, file);
        }
      }
    }
  }

  private static DpoException clash(
      Repository repository, String rule, HubFile one, HubFile other) {
    return new DpoException(
        OptionText.of(
            "the names of a repository must %s but %s has %s and %s; choose one with {include}",
            rule, repository.name(), one.path(), other.path()));
  }

  private static String folded(HubFile file) {
    return Normalizer.normalize(file.path(), Normalizer.Form.NFC).toLowerCase(Locale.ROOT);
  }

  private static void requireWeights(
      Repository repository, List<HubFile> chosen, List<HubFile> files) {
    if (chosen.stream().noneMatch(file -> file.name().endsWith(WEIGHTS))) {
      boolean elsewhere = files.stream().anyMatch(file -> file.name().endsWith(WEIGHTS));
      throw new DpoException(
          "%s has no weights that dpo4j reads (model%s or its shards); it has %s; %s"
              .formatted(
                  repository.name(),
                  WEIGHTS,
                  names(files),
                  OptionText.of(
                      elsewhere
                          ? "{include} fetches other files"
                          : "look for a repository of the same model with safetensors; for a data"
                              + " set pass {type} dataset")));
    }
  }

  private static String names(List<HubFile> files) {
    List<String> names = files.stream().map(HubFile::path).toList();
    return names.isEmpty() ? "no files" : ShortList.of(names, SHOWN);
  }
}
