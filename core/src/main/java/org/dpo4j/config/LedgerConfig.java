package org.dpo4j.config;

import java.nio.file.Path;
import java.util.Map;
import java.util.Optional;
import org.dpo4j.OptionText;
import org.dpo4j.UsageException;
import org.dpo4j.options.Option;
import org.dpo4j.options.OptionTable;

/** The configuration of {@code ledger}: the records of a run. */
public record LedgerConfig(
    @Option(help = "output folder of a run, or its ledger.jsonl") Path run,
    @Option(value = "false", help = "list the pairs that may be mislabelled") boolean suspicious,
    @Option(value = "20", help = "pairs to list; 0 = all") int rows,
    @Option(
            help = "file for one JSON line per pair, the most suspicious first; - is stdout",
            stream = true)
        Optional<Path> output,
    @Option(help = "file for the training rows without the suspicious ones (JSON lines)")
        Optional<Path> clean,
    @Option(value = "1.5", help = "sigmas below the median margin from which a pair is suspicious")
        double threshold) {

  /** The table of all options of {@code ledger}. */
  public static final OptionTable<LedgerConfig> OPTIONS = OptionTable.of(LedgerConfig.class);

  private static final String FILE = "ledger.jsonl";

  public LedgerConfig {
    OptionChecks.atLeast("rows", rows, 0, "0 means all");
    OptionChecks.positive("threshold", threshold, "1.5 is usual");
    if (clean.isPresent() && clean.equals(output)) {
      throw new UsageException(
          "clean",
          OptionText.of("must be another file than {output}"),
          "both are %s".formatted(clean.get()),
          "name two files");
    }
  }

  /** The file with the histories. */
  public Path file() {
    return InputPaths.inRun(run, FILE);
  }

  /** Checks that the file exists; throws UsageException naming the option. */
  public void checkInputs() {
    InputPaths.requireInRun(
        run,
        FILE,
        OptionText.of(
            "runs on pairs write it unless {ledger} is false; runs on labelled completions or"
                + " demonstrations, of earlier versions and of other programs have none"));
  }

  /** A configuration from option names and values, the rest at their defaults. */
  public static LedgerConfig of(Map<String, ?> options) {
    return OPTIONS.build(options);
  }
}
