package org.dpo4j.bench;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import java.util.Map;
import org.dpo4j.plan.TokenLoad;
import org.junit.jupiter.api.Test;

/** Closes the defect that a difference passes as rounding. */
class AgreementTest {

  @Test
  void smallLossesAreComparedAsTheyAreAndLargeOnesBySize() {
    assertThat(Agreement.of(List.of(0.6931, 0.5), List.of(0.6931, 0.5004), 5e-4).holds()).isTrue();
    assertThat(Agreement.of(List.of(0.6931, 0.5), List.of(0.6931, 0.5006), 5e-4).holds()).isFalse();
    assertThat(Agreement.of(List.of(100.04), List.of(100.0), 5e-4).holds()).isTrue();
  }

  @Test
  void missingAndBrokenStepsNeverAgree() {
    assertThat(Agreement.of(List.of(0.5), List.of(0.5, 0.5), 5e-4).holds()).isFalse();
    assertThat(Agreement.of(List.of(Double.NaN), List.of(0.5), 5e-4).holds()).isFalse();
  }

  @Test
  void theSettingOfTheRatioMustAgreeAndNoOther() {
    assertThat(agrees(0.5, 0.7)).isTrue();
    assertThat(agrees(0.7, 0.5)).isFalse();
  }

  /** Our bf16 and TRL's are the fastest. */
  @Test
  void thoseInFp32MustAgreeTooAndNoneOfTwoTypes() {
    assertThat(agrees(0.5, 0.7, 0.5, 0.7)).isTrue();
    assertThat(agrees(0.5, 0.7, 0.6, 0.7)).isFalse();
    assertThat(agrees(0.5, 0.6, 0.5, 0.7)).isFalse();
  }

  private static boolean agrees(double own, double ownBf16, double peer, double peerBf16) {
    CaseResult result = result();
    result.addOwn(false, run(2, own));
    result.addOwn(true, run(1, ownBf16));
    result.addPeer(new PeerProgram.Settings(false, true), run(9, peer));
    result.addPeer(new PeerProgram.Settings(true, true), run(5, peerBf16));
    result.compareLosses();
    return result.agrees;
  }

  private static CaseResult result() {
    TokenLoad load = new TokenLoad(1, 1, 1, 1, Map.of(), Map.of());
    return new CaseResult(Case.all(true).get(0), new Loads(1, 1, load, 1));
  }

  private static boolean agrees(double fastLoss, double slowLoss) {
    CaseResult result = result();
    result.addOwn(false, run(1, 0.5));
    result.addPeer(new PeerProgram.Settings(true, true), run(9, slowLoss));
    result.addPeer(new PeerProgram.Settings(false, true), run(5, fastLoss));
    result.compareLosses();
    assertThat(result.notes).hasSize(2);
    return result.agrees;
  }

  private static Measurement run(double seconds, double loss) {
    return new Measurement(List.of(seconds, seconds), List.of(), List.of(loss, loss), 1, 0);
  }

  @Test
  void spreadsAreOfAllRuns() {
    Spread spread = new Spread(List.of(3.0, 1.0, 2.0, 10.0));

    assertThat(spread.median()).isEqualTo(2.5);
    assertThat(spread.text(Report::one)).isEqualTo("2.5 (1.0 to 10.0)");
    assertThat(spread.all(Report::one)).isEqualTo("3.0, 1.0, 2.0, 10.0");
  }
}
