package org.dpo4j.bench;

import java.util.ArrayList;
import java.util.List;

/**
 * One row of the suite: what is trained, in which ways, and beside what.
 *
 * @param name for {@code --only}
 * @param model that is trained
 * @param data that it is trained on
 * @param lora whether an adapter is trained
 * @param bf16 which of our computations are run, where they differ: false for fp32
 * @param peers TRL's settings, of which the fastest counts
 * @param target least ratio of TRL's time to ours; 0 for none
 */
record Case(
    String name,
    BenchModel model,
    BenchData data,
    boolean lora,
    List<Boolean> bf16,
    List<PeerProgram.Settings> peers,
    double target) {

  static final int RANK = 16;

  /** Reference before the steps on both sides, the better of fp32 and bf16 on both sides. */
  private static Case best(BenchModel model, BenchData data, boolean lora, double target) {
    return new Case(
        model.label() + "-" + data.label() + (lora ? "-lora" : ""),
        model,
        data,
        lora,
        List.of(false, true),
        List.of(new PeerProgram.Settings(true, true), new PeerProgram.Settings(false, true)),
        target);
  }

  /** All rows, or those of a quick look. */
  static List<Case> all(boolean quick) {
    List<Case> cases = new ArrayList<>();
    if (quick) {
      cases.add(best(BenchModel.TINY, BenchData.DIALOGUE, false, 0));
      cases.add(best(BenchModel.TINY, BenchData.LONG_ANSWERS, true, 0));
      return cases;
    }
    cases.add(
        new Case(
            "m30-dialogue-fp32",
            BenchModel.M30,
            BenchData.DIALOGUE,
            false,
            List.of(false),
            List.of(new PeerProgram.Settings(false, false)),
            20));
    cases.add(best(BenchModel.M30, BenchData.DIALOGUE, false, 12));
    cases.add(best(BenchModel.M30, BenchData.DIALOGUE, true, 0));
    cases.add(best(BenchModel.M30, BenchData.LONG_ANSWERS, false, 0));
    cases.add(best(BenchModel.M30, BenchData.LONG_ANSWERS, true, 0));
    cases.add(best(BenchModel.M135, BenchData.DIALOGUE, false, 5));
    cases.add(best(BenchModel.M135, BenchData.DIALOGUE, true, 4));
    cases.add(best(BenchModel.M135, BenchData.LONG_ANSWERS, false, 2));
    cases.add(best(BenchModel.M135, BenchData.LONG_ANSWERS, true, 0));
    return cases;
  }

  /** The rows in which a model itself is trained on dialogue, each in one way. */
  static List<Case> fullTraining(boolean quick) {
    return quick
        ? List.of(best(BenchModel.TINY, BenchData.DIALOGUE, false, 0))
        : List.of(
            best(BenchModel.M30, BenchData.DIALOGUE, false, 0),
            best(BenchModel.M135, BenchData.DIALOGUE, false, 0));
  }

  /** Whether TRL computes the reference in the step, so that our time for it counts as well. */
  boolean referenceCounts() {
    return peers.stream().noneMatch(PeerProgram.Settings::precomputed);
  }

  /** Most memory that the whole process may take, in bytes; infinite where nothing was set. */
  double memoryTarget() {
    return switch (model) {
      case TINY -> Double.POSITIVE_INFINITY;
      case M30 -> 1.2e9;
      case M135 -> lora ? 1.5e9 : 3.2e9;
    };
  }

  /** Least share of the machine's peak; 0 where nothing was set. */
  double shareTarget(boolean bf16Run) {
    return model == BenchModel.M135 && !lora ? (bf16Run ? 0.45 : 0.75) : 0;
  }

  static String type(boolean bf16) {
    return bf16 ? "bf16" : "fp32";
  }
}
