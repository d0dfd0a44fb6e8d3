package org.dpo4j.evaluate;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Optional;

/**
 * How good models are on the same pairs, and whether they differ.
 *
 * @param data the files of the pairs as the user named them
 * @param models in the order of the user
 * @param differences of each further model from the first one
 */
public record Evaluation(String data, List<Model> models, List<Difference> differences) {

  /**
   * Figures of one model.
   *
   * @param name as the user named it
   * @param reference as the user named it, if there is one
   * @param beta scale of the rewards
   * @param figures on all pairs
   * @param kl divergence from the reference, if it was measured
   * @param slices on parts of the pairs
   */
  public record Model(
      String name,
      Optional<String> reference,
      double beta,
      PairFigures figures,
      Optional<ModelScores.Divergence> kl,
      List<SliceFigures> slices) {

    public Model {
      slices = List.copyOf(slices);
    }
  }

  /** Figures on a part of the pairs. */
  public record SliceFigures(String by, String value, PairFigures figures) {

    /** Whether the accuracy differs from that of all pairs by more than its interval. */
    public boolean differs(PairFigures all) {
      double whole = all.accuracy().share();
      return figures.accuracy().low() > whole || figures.accuracy().high() < whole;
    }
  }

  /**
   * Of one model from another.
   *
   * @param model the new one
   * @param from the old one
   * @param byReward whether accuracies are those by reward margin; else by log-probability
   */
  public record Difference(String model, String from, boolean byReward, PairedTest test) {

    /** Sentences that say how large the difference is and whether it is real. */
    public String sentences() {
      String visible =
          format(
              "With %,d pairs, only differences above about %.0f points can be told from chance.",
              test.pairs(), 100 * test.smallestVisible());
      if (test.gained() + test.lost() == 0) {
        return format("%s against %s: right on the same pairs. ", model, from) + visible;
      }
      String size =
          format(
              "%s against %s: accuracy by %s %+.1f points (95 %% interval %+.1f to %+.1f); pairs that it"
                  + " alone is right on: %,d, that the other alone is right on: %,d (McNemar's exact"
                  + " p = %s). ",
              model,
              from,
              byReward ? "reward margin" : "log-probability",
              100 * test.difference(),
              100 * test.low(),
              100 * test.high(),
              test.gained(),
              test.lost(),
              test.p() < 1e-4 ? format("%.0e", test.p()) : format("%.4f", test.p()));
      return size
          + (test.real()
              ? format(
                  "This is unlikely to be chance: %s is %s on data like this.",
                  model, test.gained() > test.lost() ? "better" : "worse")
              : "This may be chance. " + visible);
    }

    private static String format(String format, Object... values) {
      return String.format(Locale.ROOT, format, values);
    }
  }

  public Evaluation {
    models = List.copyOf(models);
    differences = List.copyOf(differences);
  }

  /**
   * Puts scores together.
   *
   * @param scores at least one model's, all on the same pairs, of which there is at least one
   * @param slices parts of these pairs
   */
  public static Evaluation of(String data, List<ModelScores> scores, List<Slice> slices) {
    List<Model> models =
        scores.stream()
            .map(
                model ->
                    new Model(
                        model.model(),
                        model.reference(),
                        model.beta(),
                        PairFigures.of(model.pairs(), model.beta()),
                        model.kl(),
                        slices.stream()
                            .map(
                                slice ->
                                    new SliceFigures(
                                        slice.by(),
                                        slice.value(),
                                        PairFigures.of(slice.of(model.pairs()), model.beta())))
                            .toList()))
            .toList();
    boolean byReward = scores.stream().allMatch(model -> model.reference().isPresent());
    List<Difference> differences = new ArrayList<>();
    for (ModelScores model : scores.subList(1, scores.size())) {
      differences.add(
          new Difference(
              model.model(),
              scores.get(0).model(),
              byReward,
              PairedTest.of(correct(scores.get(0), byReward), correct(model, byReward))));
    }
    return new Evaluation(data, models, differences);
  }

  private static boolean[] correct(ModelScores model, boolean byReward) {
    boolean[] correct = new boolean[model.pairs().size()];
    for (int i = 0; i < correct.length; i++) {
      PairScore pair = model.pairs().get(i);
      correct[i] = byReward ? pair.rewardCorrect() : pair.logpCorrect();
    }
    return correct;
  }
}
