package org.dpo4j.run;

import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.dpo4j.DpoException;
import org.dpo4j.OptionText;
import org.dpo4j.config.DownloadConfig;
import org.dpo4j.data.DataFile;
import org.dpo4j.data.ShortList;
import org.dpo4j.hub.Download;
import org.dpo4j.hub.HubEndpoint;
import org.dpo4j.hub.RepositoryType;
import org.dpo4j.options.MemorySize;
import org.dpo4j.report.RunOutput;
import org.dpo4j.report.ShortNumber;
import org.dpo4j.report.TimeText;
import org.dpo4j.weights.ModelFolder;

/** Fetches a model or a data set from the Hugging Face hub. */
public final class DownloadRun {

  private static final int SHOWN = 12;

  private DownloadRun() {}

  /**
   * Downloads what is missing in the folder.
   *
   * @throws DpoException if the hub refuses, a file does not arrive or is wrong, or the folder
   *     cannot be written; the message says what to do, and another run continues
   */
  public static void run(DownloadConfig config, RunOutput output) {
    run(config, System.getenv(), output);
  }

  /** As above with another environment, for tests. */
  static void run(DownloadConfig config, Map<String, String> environment, RunOutput output) {
    HubEndpoint endpoint = HubEndpoint.of(environment);
    try (Download download =
            Download.open(endpoint, config.repository(), config.choice(), config.outputDir());
        InterruptedOutput interruption = InterruptedOutput.watch(output, download::interrupted)) {
      Download.Plan plan = download.plan(output.progress());
      output
          .out()
          .println(
              "%s at commit %s: %s, %s%s"
                  .formatted(
                      config.repository(),
                      plan.commit(),
                      ShortNumber.count(plan.files().size(), "file"),
                      MemorySize.text(plan.bytes()),
                      output.styled(others(plan.others()))));
      plan.unmatched().forEach(output::warn);
      long started = System.nanoTime();
      download.run(plan, output.progress());
      output.out().println(arrived(config, plan, (System.nanoTime() - started) / 1e9));
      output.out().println("  " + next(config, plan.paths()));
    }
  }

  private static String others(int count) {
    return count == 0
        ? ""
        : OptionText.of(
            " (%s left out; {include} names others)", ShortNumber.count(count, "other file"));
  }

  private static String arrived(DownloadConfig config, Download.Plan plan, double seconds) {
    int missing = plan.missing().size();
    int before = plan.files().size() - missing;
    if (missing == 0) {
      return "nothing to download: all files are in %s, each with its hash"
          .formatted(config.outputDir());
    }
    return "downloaded %s, %s, in %s to %s, each with its hash%s"
        .formatted(
            ShortNumber.count(missing, "file"),
            MemorySize.text(plan.missingBytes()),
            TimeText.of(seconds),
            config.outputDir(),
            before == 0
                ? ""
                : "; %s there before".formatted(before == 1 ? "1 was" : before + " were"));
  }

  /** The command that uses what is there; without one, the names of the files. */
  private static String next(DownloadConfig config, List<String> paths) {
    Path folder = config.outputDir();
    Optional<String> inputs =
        config.type() == RepositoryType.MODEL ? model(folder) : rows(folder, paths);
    return inputs
        .map("to use it: "::concat)
        .orElseGet(() -> "there now: " + ShortList.of(paths, SHOWN));
  }

  /** Of the folder as it is now: several downloads may have filled it. */
  private static Optional<String> model(Path folder) {
    ModelFolder model = new ModelFolder(folder);
    if (model.isModel()) {
      return Optional.of(
          "./dpo4j train --model %s --data_file FILE --output_dir DIR".formatted(folder));
    }
    return model.isAdapter()
        ? Optional.of(
            "./dpo4j train --model BASE_MODEL --adapter %s --data_file FILE --output_dir DIR"
                .formatted(folder))
        : Optional.empty();
  }

  /** The files of rows, or those of the training split where some are named after it. */
  static Optional<String> rows(Path folder, List<String> paths) {
    List<String> rows = paths.stream().filter(path -> DataFile.isNamed(Path.of(path))).toList();
    List<String> train = rows.stream().filter(path -> path.contains("train")).toList();
    return Optional.of(train.isEmpty() ? rows : train)
        .filter(files -> !files.isEmpty())
        .map(
            files ->
                "./dpo4j train --model MODEL --data_file '%s' --output_dir DIR"
                    .formatted(folder.resolve(pattern(files))));
  }

  /** A pattern of all files where one in their folder is enough, else the first of them. */
  private static String pattern(List<String> files) {
    String first = files.get(0);
    int before = first.length();
    for (String file : files) {
      int same = 0;
      while (same < Math.min(before, file.length()) && first.charAt(same) == file.charAt(same)) {
        same++;
      }
      before = same;
    }
    int after = first.length() - before;
    for (String file : files) {
      int same = 0;
      while (same < Math.min(after, file.length() - before)
          && first.charAt(first.length() - 1 - same) == file.charAt(file.length() - 1 - same)) {
        same++;
      }
      after = same;
    }
    int end = after;
    int begin = before;
    boolean oneFolder =
        files.stream().noneMatch(file -> file.substring(begin, file.length() - end).contains("/"));
    return files.size() == 1 || !oneFolder
        ? first
        : first.substring(0, begin) + "*" + first.substring(first.length() - end);
  }
}
