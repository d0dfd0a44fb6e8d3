package org.dpo4j.config;

import java.util.List;
import org.dpo4j.OptionText;
import org.dpo4j.UsageException;
import org.dpo4j.loss.PreferenceLoss;
import org.dpo4j.options.OptionType;

/** Checks of option values that throw {@link UsageException}. */
public final class OptionChecks {
  // More than the cores of any machine. Without a limit, the engine would start too many threads
  // and hang.
  private static final int MAX_THREADS = 1024;

  private static final double LARGEST = 1e30;

  private OptionChecks() {}

  public static void require(
      boolean holds, String option, String rule, Object value, String whatToDo) {
    if (!holds) {
      throw new UsageException(option, "must be " + rule, "was " + shown(value), whatToDo);
    }
  }

  public static void positive(String option, double value, String whatToDo) {
    require(value > 0, option, "a number above 0", value, whatToDo);
    fits(option, value);
  }

  public static void notNegative(String option, double value, String whatToDo) {
    require(value >= 0, option, "a number from 0", value, whatToDo);
    fits(option, value);
  }

  private static void fits(String option, double value) {
    require(value <= LARGEST, option, "at most 1e30", value, "computation is in 32 bits");
  }

  public static void atLeast(String option, long value, long least, String whatToDo) {
    require(value >= least, option, "a whole number from " + least, value, whatToDo);
  }

  public static void threads(int threads) {
    require(
        threads >= 0 && threads <= MAX_THREADS,
        "threads",
        "a whole number from 0 to " + MAX_THREADS,
        threads,
        "0 means as many as there are cores");
  }

  static void sampling(int maxNewTokens, double temperature) {
    atLeast("max_new_tokens", maxNewTokens, 1, "128 is usual");
    notNegative("temperature", temperature, "0 always takes the likeliest id");
  }

  static void topP(double topP) {
    require(topP > 0 && topP <= 1, "top_p", "above 0 and at most 1", topP, "1 turns it off");
  }

  public static void labelSmoothing(double smoothing) {
    PreferenceLoss.requireSmoothing(smoothing);
  }

  static void share(String option, double value, String whatToDo) {
    require(value >= 0 && value <= 1, option, "between 0 and 1", value, whatToDo);
  }

  static void weightsFit(List<Double> weights, int entries) {
    require(
        weights.size() == entries && entries > 1,
        "data_weights",
        OptionText.of("one number for each entry of {data_file}, of which there must be several"),
        weights.size() + " for " + entries,
        "a folder or a pattern is one entry");
    for (double weight : weights) {
      positive("data_weights", weight, "only the ratios of the numbers matter");
    }
  }

  static void splitSize(double size) {
    require(
        size > 0 && (size < 1 || size == Math.rint(size)) && size <= Integer.MAX_VALUE,
        "eval_split",
        "a share of the examples between 0 and 1, or a whole number of them",
        size,
        "0.1 is usual");
  }

  private static String shown(Object value) {
    return value instanceof Double number ? OptionType.shortest(number) : String.valueOf(value);
  }
}
