package org.dpo4j.config;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.dpo4j.OptionText;
import org.dpo4j.UsageException;
import org.dpo4j.checkpoint.FileTrees;
import org.dpo4j.options.LoopbackPort;
import org.dpo4j.options.Option;
import org.dpo4j.options.OptionTable;

/** The configuration of {@code report}: folders of runs, and what was measured afterwards. */
public record ReportConfig(
    @Option(help = "folders of runs, also of TRL (with a trainer_state.json)") List<Path> run,
    @Option(help = "file for the page (default: report.html or comparison.html in the folder)")
        Optional<Path> output,
    @Option(help = "what eval wrote (default: eval.json in each folder, if it is there)")
        Optional<Path> eval,
    @Option(
            value = "10",
            help = "suspicious pairs, or pairs on which runs differ, to show; 0 = none")
        int rows,
    @Option(
            value = "false",
            help = "show the page in a browser instead: true, or a port of this machine")
        LoopbackPort serve) {

  /** The table of all options of {@code report}. */
  public static final OptionTable<ReportConfig> OPTIONS = OptionTable.of(ReportConfig.class);

  /** The name of what {@code eval} writes in the folder of a run. */
  public static final String EVALUATION = "eval.json";

  private static final String STATE = "trainer_state.json";

  /** As many as there are colours that everybody can tell apart. */
  private static final int MOST_RUNS = 7;

  public ReportConfig {
    run = List.copyOf(run);
    OptionChecks.require(
        !run.isEmpty() && run.size() <= MOST_RUNS,
        "run",
        "one folder, or up to %d to compare".formatted(MOST_RUNS),
        run.size() + " of them",
        "leave some out");
    OptionChecks.atLeast("rows", rows, 0, "0 shows none");
    if (serve.isOpen() && output.isPresent()) {
      throw new UsageException(
          OptionText.of("{serve} shows the page and writes no file; leave out {output}"));
    }
  }

  /** Whether there are several runs to compare. */
  public boolean compares() {
    return run.size() > 1;
  }

  /** The only run, or the one that the others are compared with. */
  public Path first() {
    return run.get(0);
  }

  /** The history of a run. */
  public static Path state(Path run) {
    return run.resolve(STATE);
  }

  /** The page. */
  public Path page() {
    return output.orElseGet(() -> first().resolve(compares() ? "comparison.html" : "report.html"));
  }

  /** The file of the option {@code eval}, or the one in a folder, which need not exist. */
  public Path evaluation(Path run) {
    return eval.orElseGet(() -> run.resolve(EVALUATION));
  }

  /** Checks that the folders are those of runs; throws UsageException naming the option. */
  public void checkInputs() {
    Set<Path> seen = new HashSet<>();
    for (Path folder : run) {
      InputPaths.requireFolder("run", folder);
      if (!Files.isRegularFile(state(folder))) {
        throw new UsageException(
            "run",
            "must be a folder with a %s".formatted(STATE),
            "%s has none".formatted(folder),
            "TRL writes it into each checkpoint-STEP");
      }
      if (!seen.add(FileTrees.real(folder))) {
        throw new UsageException(
            "run", "must name each run once", "%s is there twice".formatted(folder), "keep one");
      }
    }
    eval.ifPresent(
        file -> {
          if (!Files.isRegularFile(file)) {
            throw new UsageException(
                "eval", "must be a file", "%s is not there".formatted(file), "check the path");
          }
        });
  }

  /** A configuration from option names and values, the rest at their defaults. */
  public static ReportConfig of(Map<String, ?> options) {
    return OPTIONS.build(options);
  }
}
