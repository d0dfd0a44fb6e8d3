package org.dpo4j.config;

import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import java.util.function.Consumer;
import org.dpo4j.UsageException;
import org.dpo4j.options.GivenValue;
import org.dpo4j.options.MemorySize;
import org.dpo4j.options.Option;
import org.dpo4j.options.OptionTable;

/**
 * The configuration of {@code plan}: a training run, and the memory that it must fit into.
 *
 * @param plan the options of {@code plan} itself
 * @param training the planned run; its output folder is ignored
 */
public record PlanConfig(Plan plan, TrainingConfig training) {

  /** The table of all options of {@code plan}: its own and those of {@code train}. */
  public static final OptionTable<PlanConfig> OPTIONS = OptionTable.of(PlanConfig.class);

  /** The options that {@code train} does not have. */
  public static final OptionTable<Plan> OWN = OptionTable.of(Plan.class);

  /** The option that {@code train} requires and {@code plan} ignores. */
  public static final String UNUSED = "output_dir";

  /** The options of {@code plan} itself. */
  public record Plan(
      @Option(help = "memory to fit into, as 8GB (default: all there is)") Optional<String> memory,
      @Option(value = "true", help = "time a few steps of small models on this machine")
          boolean trial,
      @Option(value = "1", help = "processes that train together, on machines like this one")
          int ranks,
      @Option(value = "10", help = "Gbit/s of the network between them") double network,
      @Option(help = "file for the figures as one JSON line; - is stdout", stream = true)
          Optional<Path> output) {
    private static final int MOST_RANKS = 10_000;

    public Plan {
      memory.ifPresent(MemorySize::parse);
      OptionChecks.atLeast("ranks", ranks, 1, "1 is a run without others");
      if (ranks > MOST_RANKS) {
        throw new UsageException("ranks", "must be at most " + MOST_RANKS, "was " + ranks, "");
      }
      OptionChecks.positive("network", network, "10 is usual between servers");
    }
  }

  /**
   * Builds a configuration from given values; TRL's names are translated as for {@code train}.
   *
   * @param file from the YAML file of a training run; may be empty
   * @param flags from the command line; they take precedence over the file
   * @param notices receives one line per option that is accepted but has no effect
   * @throws UsageException as {@link TrainingOptions#resolve} does
   */
  public static PlanConfig resolve(
      Map<String, GivenValue> file, Map<String, GivenValue> flags, Consumer<String> notices) {
    Map<String, GivenValue> own = new LinkedHashMap<>();
    Map<String, GivenValue> rest = new LinkedHashMap<>();
    flags.forEach(
        (name, value) -> (OWN.canonicalName(name).isPresent() ? own : rest).put(name, value));
    if (!file.containsKey(UNUSED)) {
      rest.putIfAbsent(UNUSED, GivenValue.of("runs/plan"));
    }
    TrainingOptions options = TrainingOptions.resolve(file, rest);
    options.notices().forEach(notices);
    return new PlanConfig(OWN.read(own), options.config());
  }

  /** Checks that all input files and folders exist; throws UsageException naming the option. */
  public void checkInputs() {
    training.checkInputs();
  }
}
