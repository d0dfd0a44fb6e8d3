package org.dpo4j.report;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.dpo4j.EvaluationReport;
import org.dpo4j.ExampleKind;
import org.dpo4j.StepReport;
import org.dpo4j.TrainingMetrics;

/**
 * Maps a report to TRL's metric names and their values, in TRL's order. Only this class defines the
 * names. Values may be NaN or infinite; each writer has its own form for these.
 */
public final class MetricNames {
  private static final String RUNTIME = "runtime";

  private MetricNames() {}

  /**
   * The names of an evaluation's metrics, besides its time and epoch.
   *
   * @param dataset name of the evaluation set; empty for the only one
   */
  public static List<String> ofEvaluation(ExampleKind kind, String dataset) {
    TrainingMetrics zeros = new TrainingMetrics(kind, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0);
    return of(new EvaluationReport(0, 0, dataset, zeros, 0, 0)).keySet().stream()
        .filter(name -> !name.equals("epoch") && !name.equals(prefix(dataset) + RUNTIME))
        .toList();
  }

  /** As transformers: {@code eval_}, and {@code eval_NAME_} if evaluation sets have names. */
  static String prefix(String dataset) {
    return dataset.isEmpty() ? "eval_" : "eval_" + dataset + "_";
  }

  /** A logged step: {@code loss}, {@code grad_norm}, ..., {@code epoch}. */
  public static Map<String, Number> of(StepReport report) {
    Map<String, Number> named = new LinkedHashMap<>();
    named.put("loss", report.metrics().loss());
    named.put("grad_norm", report.gradNorm());
    named.put("learning_rate", report.learningRate());
    named.put("entropy", report.metrics().entropy());
    named.put("num_tokens", report.numTokens());
    putMetrics(named, "", report.metrics());
    named.put("epoch", report.epoch());
    return named;
  }

  /**
   * The times of the steps in a line. They are only in the files, since they differ from run to
   * run.
   */
  static Map<String, Number> times(StepReport report) {
    Map<String, Number> named = new LinkedHashMap<>();
    named.put("step_time", round(report.stepSeconds(), 6));
    named.put("step_compute_time", round(report.computeSeconds(), 6));
    return named;
  }

  /** An evaluation: the same names with a prefix, and its run time in seconds. */
  public static Map<String, Number> of(EvaluationReport report) {
    String prefix = prefix(report.dataset());
    Map<String, Number> named = new LinkedHashMap<>();
    named.put(prefix + "loss", report.metrics().loss());
    named.put(prefix + RUNTIME, round(report.seconds(), 4));
    if (report.seconds() > 0) {
      named.put(prefix + "samples_per_second", round(report.examples() / report.seconds(), 3));
    }
    named.put(prefix + "entropy", report.metrics().entropy());
    putMetrics(named, prefix, report.metrics());
    named.put("epoch", report.epoch());
    return named;
  }

  /** A label that no example has leaves its names out, as in TRL. */
  private static void putMetrics(Map<String, Number> named, String prefix, TrainingMetrics m) {
    switch (m.kind()) {
      case PAIRS -> {
        named.put(prefix + "mean_token_accuracy", m.meanTokenAccuracy());
        named.put(prefix + "rewards/chosen", m.rewardsChosen());
        named.put(prefix + "rewards/rejected", m.rewardsRejected());
        named.put(prefix + "rewards/accuracies", m.rewardsAccuracies());
        named.put(prefix + "rewards/margins", m.rewardsMargins());
        named.put(prefix + "logps/chosen", m.logpsChosen());
        named.put(prefix + "logps/rejected", m.logpsRejected());
        named.put(prefix + "logits/chosen", m.logitsChosen());
        named.put(prefix + "logits/rejected", m.logitsRejected());
      }
      case LABELED -> {
        named.put(prefix + "kl", m.kl());
        putIfMeasured(named, prefix + "rewards/chosen", m.rewardsChosen());
        putIfMeasured(named, prefix + "rewards/rejected", m.rewardsRejected());
        putIfMeasured(named, prefix + "rewards/margins", m.rewardsMargins());
        putIfMeasured(named, prefix + "logps/chosen", m.logpsChosen());
        putIfMeasured(named, prefix + "logps/rejected", m.logpsRejected());
        putIfMeasured(named, prefix + "logits/chosen", m.logitsChosen());
        putIfMeasured(named, prefix + "logits/rejected", m.logitsRejected());
      }
      case DEMONSTRATIONS -> named.put(prefix + "mean_token_accuracy", m.meanTokenAccuracy());
    }
  }

  private static void putIfMeasured(Map<String, Number> named, String name, double value) {
    if (!Double.isNaN(value)) {
      named.put(name, value);
    }
  }

  /** Rounds times and rates as transformers does; more digits would only be noise. */
  static double round(double value, int decimals) {
    double scale = Math.pow(10, decimals);
    double rounded = Math.rint(value * scale) / scale;
    return Double.isFinite(rounded) ? rounded : value;
  }
}
