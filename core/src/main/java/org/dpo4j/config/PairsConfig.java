package org.dpo4j.config;

import java.nio.file.Path;
import java.util.Map;
import org.dpo4j.OptionText;
import org.dpo4j.UsageException;
import org.dpo4j.config.Judging.JudgeType;
import org.dpo4j.options.Option;
import org.dpo4j.options.OptionTable;
import org.dpo4j.options.ReadableFile;

/** The configuration of {@code pairs}: completions, a judge, a choice, and an output file. */
public record PairsConfig(
    @Option(help = "completions, as sample writes them", aliases = "completions")
        Path completionsFile,
    @Option(help = "file for the pairs, one JSON line per pair; - is stdout", stream = true)
        Path output,
    Judging judging,
    Choosing choosing,
    @Option(value = "false", help = "write each completion with a label, for KTO, not pairs")
        boolean unpaired,
    @Option(value = "0", help = "commands at a time, or CPU threads; 0 uses all cores")
        int threads) {

  /** The table of all options of {@code pairs}. */
  public static final OptionTable<PairsConfig> OPTIONS = OptionTable.of(PairsConfig.class);

  public PairsConfig {
    if (judging.judge().isPresent() == choosing.chosenColumn().isPresent()) {
      throw new UsageException(
          judging.judge().isEmpty()
              ? OptionText.of("{judge} is required but missing")
              : OptionText.of("{chosen_column} needs no {judge}; remove one of them"));
    }
    if (unpaired && choosing.changed()) {
      throw new UsageException(
          OptionText.of(
              "{unpaired} makes no pairs; remove {margin}, {choose} and {chosen_column}"));
    }
    if (unpaired) {
      requireLabels(judging);
    }
    OptionChecks.threads(threads);
  }

  /** Throws UsageException if the options do not say which completions are good. */
  static void requireLabels(Judging judging) {
    if (judging.leastGood().isEmpty()) {
      throw new UsageException(
          OptionText.of(
              "labels need {threshold} with {judge} %s: the least score of a good completion",
              judging.judge().map(JudgeType::toString).orElse("none")));
    }
  }

  /** Checks that all input files exist; throws UsageException naming the option. */
  public void checkInputs() {
    ReadableFile.require("completions_file", completionsFile);
    judging.checkInputs();
  }

  /** A configuration from option names and values, the rest at their defaults. */
  public static PairsConfig of(Map<String, ?> options) {
    return OPTIONS.build(options);
  }
}
