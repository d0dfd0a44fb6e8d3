package org.dpo4j;

/** Metrics of preference pairs, for tests of what reports make of them. */
public final class PairMetrics {

  private PairMetrics() {}

  /** As the components of {@link TrainingMetrics}. */
  public static TrainingMetrics of(
      double loss,
      double rewardsChosen,
      double rewardsRejected,
      double rewardsAccuracies,
      double rewardsMargins,
      double logpsChosen,
      double logpsRejected,
      double logitsChosen,
      double logitsRejected,
      double entropy,
      double meanTokenAccuracy) {
    return new TrainingMetrics(
        ExampleKind.PAIRS,
        loss,
        rewardsChosen,
        rewardsRejected,
        rewardsAccuracies,
        rewardsMargins,
        logpsChosen,
        logpsRejected,
        logitsChosen,
        logitsRejected,
        entropy,
        meanTokenAccuracy,
        Double.NaN);
  }
}
