package org.dpo4j.report;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.dpo4j.evaluate.Calibration;
import org.dpo4j.evaluate.Evaluation;
import org.dpo4j.evaluate.PairFigures;
import org.dpo4j.evaluate.PairedTest;
import org.dpo4j.evaluate.Share;
import org.jspecify.annotations.Nullable;

/** An evaluation as JSON; {@code docs/reference/eval.md} describes it. */
public final class EvaluationJson {

  private EvaluationJson() {}

  /** The whole evaluation; a number that does not exist is null. */
  public static Map<String, Object> of(Evaluation evaluation) {
    Map<String, Object> json = new LinkedHashMap<>();
    json.put("data", evaluation.data());
    json.put("models", evaluation.models().stream().map(EvaluationJson::model).toList());
    json.put(
        "differences", evaluation.differences().stream().map(EvaluationJson::difference).toList());
    return json;
  }

  private static Map<String, Object> model(Evaluation.Model model) {
    Map<String, Object> json = new LinkedHashMap<>();
    json.put("model", model.name());
    model.reference().ifPresent(reference -> json.put("ref_model", reference));
    json.put("beta", model.beta());
    json.putAll(figures(model.figures()));
    model
        .kl()
        .ifPresent(
            kl ->
                json.put(
                    "kl",
                    map("per_token", kl.perToken(), "tokens", kl.tokens(), "pairs", kl.pairs())));
    List<Map<String, Object>> slices = new ArrayList<>();
    for (Evaluation.SliceFigures slice : model.slices()) {
      Map<String, Object> part = map("by", slice.by(), "value", slice.value());
      part.put("differs", slice.differs(model.figures()));
      part.putAll(figures(slice.figures()));
      slices.add(part);
    }
    json.put("slices", slices);
    return json;
  }

  private static Map<String, Object> figures(PairFigures figures) {
    Map<String, Object> json = new LinkedHashMap<>();
    Optional<PairFigures.ToReference> to = figures.toReference();
    json.put("pairs", figures.pairs());
    to.ifPresent(
        reference -> {
          json.put("rewards/accuracies", share(reference.byReward()));
          json.put("rewards/accuracies_length_controlled", share(reference.byRewardControlled()));
          json.put("rewards/chosen", number(reference.chosenReward()));
          json.put("rewards/rejected", number(reference.rejectedReward()));
          json.put("rewards/margins", number(reference.margin()));
        });
    json.put("logps/accuracies", share(figures.byLogp()));
    json.put("logps/accuracies_length_controlled", share(figures.byLogpControlled()));
    json.put("perplexity/chosen", number(figures.perplexityChosen()));
    json.put("perplexity/rejected", number(figures.perplexityRejected()));
    json.put("tokens/chosen", number(figures.chosenTokens()));
    json.put("tokens/rejected", number(figures.rejectedTokens()));
    to.ifPresent(
        reference -> {
          json.put("ref_logps/accuracies", share(reference.byLogp()));
          json.put("ref_perplexity/chosen", number(reference.perplexityChosen()));
          json.put("ref_perplexity/rejected", number(reference.perplexityRejected()));
          json.put("chosen_fell", share(reference.chosenFell()));
          json.put("length_correlation", number(reference.lengthCorrelation()));
          json.put("calibration", calibration(reference.calibration()));
        });
    return json;
  }

  private static Map<String, Object> calibration(Calibration calibration) {
    return map(
        "error",
        number(calibration.error()),
        "log_loss",
        number(calibration.logLoss()),
        "overconfidence",
        number(calibration.overconfidence()),
        "bins",
        calibration.bins().stream()
            .map(
                bin ->
                    map("confidence", number(bin.confidence()), "accuracy", share(bin.accuracy())))
            .toList());
  }

  private static Map<String, Object> difference(Evaluation.Difference difference) {
    PairedTest test = difference.test();
    return map(
        "model",
        difference.model(),
        "from",
        difference.from(),
        "metric",
        difference.byReward() ? "rewards/accuracies" : "logps/accuracies",
        "difference",
        map("value", test.difference(), "low", test.low(), "high", test.high()),
        "gained",
        test.gained(),
        "lost",
        test.lost(),
        "p",
        test.p(),
        "real",
        test.real(),
        "sentences",
        difference.sentences());
  }

  private static Map<String, Object> share(Share share) {
    return map(
        "value",
        number(share.share()),
        "low",
        number(share.low()),
        "high",
        number(share.high()),
        "pairs",
        share.of());
  }

  private static @Nullable Double number(double value) {
    return Double.isFinite(value) ? value : null;
  }

  /** Of names and values in turn. */
  private static Map<String, Object> map(@Nullable Object... entries) {
    Map<String, Object> map = new LinkedHashMap<>();
    for (int i = 0; i < entries.length; i += 2) {
      map.put(String.valueOf(entries[i]), entries[i + 1]);
    }
    return map;
  }
}
