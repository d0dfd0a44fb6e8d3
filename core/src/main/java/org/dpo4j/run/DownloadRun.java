package org.dpo4j.run;

import java.util.Map;
import org.dpo4j.DpoException;
import org.dpo4j.OptionText;
import org.dpo4j.config.DownloadConfig;
import org.dpo4j.hub.Download;
import org.dpo4j.hub.HubEndpoint;
import org.dpo4j.hub.RepositoryType;
import org.dpo4j.options.MemorySize;
import org.dpo4j.report.RunOutput;
import org.dpo4j.report.ShortNumber;
import org.dpo4j.report.TimeText;

/** Fetches a model or a data set from the Hugging Face hub. */
public final class DownloadRun {

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
      long started = System.nanoTime();
      download.run(plan, output.progress());
      output.out().println(arrived(config, plan, (System.nanoTime() - started) / 1e9));
      output.out().println("  to use it: " + next(config));
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

  private static String next(DownloadConfig config) {
    return config.type() == RepositoryType.MODEL
        ? "./dpo4j train --model %s --data_file FILE --output_dir DIR".formatted(config.outputDir())
        : "./dpo4j train --model DIR --data_file '%s' --output_dir DIR"
            .formatted(config.outputDir().resolve("PATTERN"));
  }
}
