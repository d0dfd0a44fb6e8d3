package org.dpo4j.config;

import java.nio.file.Path;
import java.util.Map;
import java.util.Optional;
import org.dpo4j.options.Option;
import org.dpo4j.options.OptionTable;

/** The configuration of {@code doctor}: the records of a run. */
public record DoctorConfig(
    @Option(help = "output folder of a run, or a trainer_state.json, also TRL's") Path run,
    @Option(help = "beta of the run (default: that of its dpo4j.yaml, if there is one)")
        Optional<Double> beta) {

  /** The table of all options of {@code doctor}. */
  public static final OptionTable<DoctorConfig> OPTIONS = OptionTable.of(DoctorConfig.class);

  private static final String FILE = "trainer_state.json";

  public DoctorConfig {
    beta.ifPresent(value -> OptionChecks.positive("beta", value, "0.1 is usual"));
  }

  /** The file with the history of the run. */
  public Path file() {
    return InputPaths.inRun(run, FILE);
  }

  /** Checks that the file exists; throws UsageException naming the option. */
  public void checkInputs() {
    InputPaths.requireInRun(run, FILE, "TRL writes it into each checkpoint-STEP");
  }

  /** A configuration from option names and values, the rest at their defaults. */
  public static DoctorConfig of(Map<String, ?> options) {
    return OPTIONS.build(options);
  }
}
