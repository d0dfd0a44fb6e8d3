package org.dpo4j.report;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import org.dpo4j.evaluate.Calibration;
import org.dpo4j.evaluate.Evaluation;
import org.dpo4j.evaluate.PairFigures;
import org.dpo4j.evaluate.Share;

/** An evaluation as lines for people. */
public final class EvaluationText {

  private static final String ROW = "  %-46s %8s  %-16s %7s";

  /** The intervals of parts of fewer pairs are too wide to say anything. */
  public static final int FEWEST_PAIRS = 40;

  private EvaluationText() {}

  /** The tables of all models. */
  public static List<String> lines(Evaluation evaluation) {
    List<String> lines = new ArrayList<>();
    for (Evaluation.Model model : evaluation.models()) {
      lines.add("");
      lines.add(
          format(
              "%s%s, beta %s",
              model.name(),
              model.reference().map(reference -> ", reference " + reference).orElse(""),
              ShortNumber.of(model.beta())));
      lines.addAll(table(model));
    }
    return lines;
  }

  private static List<String> table(Evaluation.Model model) {
    PairFigures figures = model.figures();
    List<String> lines = new ArrayList<>();
    lines.add(format(ROW, "", "share", "95 % interval", "pairs"));
    Optional<PairFigures.ToReference> to = figures.toReference();
    to.ifPresent(
        reference -> {
          lines.add(row("accuracy by reward margin", reference.byReward()));
          lines.add(row("  with length controlled", reference.byRewardControlled()));
        });
    lines.add(row("accuracy by log-probability", figures.byLogp()));
    lines.add(row("  with length controlled", figures.byLogpControlled()));
    to.ifPresent(
        reference -> {
          lines.add(row("  of the reference", reference.byLogp()));
          lines.add(row("chosen answer less likely than before", reference.chosenFell()));
        });
    lines.add("");
    to.ifPresent(reference -> lines.addAll(beside(figures, reference)));
    if (to.isEmpty()) {
      lines.add(
          format(
              "  perplexity: chosen %s, rejected %s",
              ShortNumber.of(figures.perplexityChosen()),
              ShortNumber.of(figures.perplexityRejected())));
    }
    model
        .kl()
        .ifPresent(
            kl ->
                lines.add(
                    format(
                        "  KL divergence from the reference: %s nats per token, on %,d chosen tokens of %s",
                        ShortNumber.of(kl.perToken()),
                        kl.tokens(),
                        ShortNumber.count(kl.pairs(), "pair"))));
    lines.addAll(slices(model));
    return lines;
  }

  private static List<String> beside(PairFigures figures, PairFigures.ToReference to) {
    Calibration calibration = to.calibration();
    List<String> lines = new ArrayList<>();
    lines.add(
        format(
            "  rewards: margin %s, chosen %s, rejected %s",
            signed(to.margin()), signed(to.chosenReward()), signed(to.rejectedReward())));
    lines.add(
        format(
            "  perplexity: chosen %s (reference %s), rejected %s (reference %s)",
            ShortNumber.of(figures.perplexityChosen()),
            ShortNumber.of(to.perplexityChosen()),
            ShortNumber.of(figures.perplexityRejected()),
            ShortNumber.of(to.perplexityRejected())));
    if (!Double.isNaN(to.lengthCorrelation())) {
      lines.add(
          format(
              "  length: the chosen answer has %.0f tokens and the rejected one %.0f; reward margin"
                  + " and difference in length correlate by %s",
              figures.chosenTokens(),
              figures.rejectedTokens(),
              ShortNumber.fixed("%+.2f", to.lengthCorrelation())));
    }
    lines.add(
        format(
            "  calibration: error %.3f; the model is %s by %.1f points; log loss %s (0.6931 without a"
                + " preference)",
            calibration.error(),
            calibration.overconfidence() > 0 ? "too sure" : "too cautious",
            100 * Math.abs(calibration.overconfidence()),
            ShortNumber.of(calibration.logLoss())));
    return lines;
  }

  private static List<String> slices(Evaluation.Model model) {
    List<String> lines = new ArrayList<>();
    if (model.figures().pairs() < FEWEST_PAIRS) {
      return lines;
    }
    String by = "";
    for (Evaluation.SliceFigures slice : model.slices()) {
      if (!slice.by().equals(by)) {
        by = slice.by();
        lines.add("");
        lines.add("  by " + by);
      }
      String mark = slice.differs(model.figures()) ? "  differs from all pairs" : "";
      lines.add(row("  " + SafeText.line(slice.value()), slice.figures().accuracy()) + mark);
    }
    return lines;
  }

  private static String row(String name, Share share) {
    boolean counted = share.of() > 0 && !Double.isNaN(share.share());
    return format(
        ROW,
        name,
        counted ? percent(share.share()) + " %" : "-",
        counted ? percent(share.low()) + " to " + percent(share.high()) + " %" : "",
        format("%,d", share.of()));
  }

  private static String percent(double share) {
    return format("%.1f", 100 * share);
  }

  private static String signed(double value) {
    return ShortNumber.fixed("%+.3f", value);
  }

  private static String format(String format, Object... values) {
    return String.format(Locale.ROOT, format, values);
  }
}
