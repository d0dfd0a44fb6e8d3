package org.dpo4j.config;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.Optional;
import org.dpo4j.OptionText;
import org.dpo4j.UsageException;
import org.dpo4j.options.LoopbackPort;
import org.dpo4j.options.Option;
import org.dpo4j.options.OptionTable;

/** The configuration of {@code report}: the folder of a run, and what was measured afterwards. */
public record ReportConfig(
    @Option(help = "output folder of a run, also of TRL (with a trainer_state.json)") Path run,
    @Option(help = "file for the page (default: report.html in the folder)") Optional<Path> output,
    @Option(help = "what eval wrote (default: eval.json in the folder, if it is there)")
        Optional<Path> eval,
    @Option(value = "10", help = "suspicious pairs to show; 0 = none") int rows,
    @Option(
            value = "false",
            help = "show the page in a browser instead: true, or a port of this machine")
        LoopbackPort serve) {

  /** The table of all options of {@code report}. */
  public static final OptionTable<ReportConfig> OPTIONS = OptionTable.of(ReportConfig.class);

  /** The name of what {@code eval} writes in the folder of a run. */
  public static final String EVALUATION = "eval.json";

  private static final String STATE = "trainer_state.json";

  public ReportConfig {
    OptionChecks.atLeast("rows", rows, 0, "0 shows none");
    if (serve.isOpen() && output.isPresent()) {
      throw new UsageException(
          OptionText.of("{serve} shows the page and writes no file; leave out {output}"));
    }
  }

  /** The history of the run. */
  public Path state() {
    return run.resolve(STATE);
  }

  /** The page. */
  public Path page() {
    return output.orElseGet(() -> run.resolve("report.html"));
  }

  /** The file of the option {@code eval}, or the one in the folder, which need not exist. */
  public Path evaluation() {
    return eval.orElseGet(() -> run.resolve(EVALUATION));
  }

  /** Checks that the folder is one of a run; throws UsageException naming the option. */
  public void checkInputs() {
    InputPaths.requireFolder("run", run);
    if (!Files.isRegularFile(state())) {
      throw new UsageException(
          "run",
          "must be a folder with a %s".formatted(STATE),
          "%s has none".formatted(run),
          "TRL writes it into each checkpoint-STEP");
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
