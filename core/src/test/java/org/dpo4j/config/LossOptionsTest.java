package org.dpo4j.config;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.dpo4j.UsageException;
import org.dpo4j.loss.ReferenceUse;
import org.dpo4j.options.OptionType;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Closes: a setting about losses that is accepted and then ignored, or refused with a default. */
class LossOptionsTest {

  private static TrainingConfig.Loss loss(String options) {
    Map<String, Object> all = new HashMap<>();
    all.put("model", "m");
    all.put("data_file", "d");
    all.put("output_dir", "o");
    for (String option : options.split(" ")) {
      all.put(option.split("=")[0], option.split("=")[1]);
    }
    return TrainingConfig.of(all).loss();
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "loss_type=hinge label_smoothing=0.1 | label_smoothing works with loss_type sigmoid",
        "loss_type=exo_pair | label_smoothing must be above 0 for exo_pair",
        "loss_type=robust label_smoothing=0.5 | label_smoothing must be below 0.5 for robust",
        "loss_type=sigmoid discopop_tau=0.1 | discopop_tau works with loss_type discopop",
        "loss_type=sigmoid dpop_lambda=5 | dpop_lambda works with loss_type dpop",
        "loss_type=sigmoid odpo_alpha=0.5 | odpo_alpha works with loss_type odpo",
        "loss_type=odpo odpo_alpha=-1 | odpo_alpha must be a number from 0",
        "loss_type=odpo f_divergence_type=forward_kl | f_divergence_type forward_kl works",
        "loss_type=odpo reference=none | reference none is for losses without a reference",
        "loss_type=simpo cpo_alpha=0 | cpo_alpha works with loss_type cpo",
        "loss_type=aot use_weighting=true | use_weighting weighs pair by pair",
        "loss_type=nca_pair f_divergence_type=forward_kl | f_divergence_type forward_kl works",
        "loss_type=sft f_divergence_type=forward_kl | f_divergence_type forward_kl works",
        "loss_type=sigmoid f_alpha_divergence_coef=2 | f_alpha_divergence_coef works with",
        "loss_type=sigmoid,sft loss_weights=1 | loss_weights must be as many as the losses, 2",
        "loss_type=sigmoid,sft loss_weights=1,0 | loss_weights must be a number above 0",
        "loss_type=sigmoid,sigmoid | loss_type must name each loss once",
        "loss_type=sft ld_alpha=0.5 | ld_alpha weights completions that are compared",
        "loss_type=sigmoid ld_alpha=1.5 | ld_alpha must be between 0 and 1",
        "loss_type=simpo sync_ref_model=true | sync_ref_model moves the reference but",
        "loss_type=sigmoid ref_model_sync_steps=2 | ref_model_sync_steps works with",
        "loss_type=sigmoid ref_model_mixup_alpha=1 | ref_model_mixup_alpha works with",
        "loss_type=sigmoid reference=none | reference none is for losses without a reference",
        "loss_type=orpo reference=start | reference names a reference but loss_type orpo",
        "loss_type=cpo ref_model=r | ref_model names a reference but loss_type cpo"
      })
  void whatWouldBeIgnoredOrHasNoMeaningIsRefusedWithTheReason(String options, String message) {
    assertThatThrownBy(() -> loss(options))
        .isInstanceOf(UsageException.class)
        .hasMessageStartingWith(message);
  }

  /** As a file of TRL's may have it. */
  @Test
  void defaultsMayBeSpelledOutBesideAnyLoss() {
    String defaults =
        " label_smoothing=0 discopop_tau=0.05 f_divergence_type=reverse_kl"
            + " f_alpha_divergence_coef=0.5 ld_alpha=none use_weighting=false loss_weights=none"
            + " sync_ref_model=false ref_model_mixup_alpha=0.6 ref_model_sync_steps=512"
            + " dpop_lambda=50 odpo_alpha=1 simpo_gamma=0.5 cpo_alpha=1";
    for (LossType type : LossType.values()) {
      if (type != LossType.EXO_PAIR) { // needs a smoothing of its own
        assertThat(loss("loss_type=" + OptionType.text(type) + defaults).lossType())
            .containsExactly(type);
      }
    }
  }

  @ParameterizedTest
  @CsvSource({
    "sigmoid, START, LOSS",
    "sft, START, REWARDS",
    "simpo, NONE, NONE",
    "'cpo,sft', NONE, NONE",
    "'cpo,sigmoid', START, LOSS",
    "orpo, NONE, NONE"
  })
  void theReferenceIsTheStartUnlessNoLossNeedsOne(
      String types, ReferenceChoice choice, ReferenceUse need) {
    TrainingConfig.Loss loss = loss("loss_type=" + types);
    assertThat(loss.referenceChoice()).isEqualTo(choice);
    assertThat(loss.objective().loss().reference()).isEqualTo(need);
  }

  @Test
  void everyNameIsTheOneThatTheLossItselfSays() {
    for (LossType type : LossType.values()) {
      assertThat(type.create(LossSettings.of(0.1, 0.1)).name()).isEqualTo(OptionType.text(type));
    }
  }

  @Test
  void aResolvedRunNamesItsLossesAsLists() {
    TrainingConfig.Loss loss = loss("loss_type=sigmoid,bco_pair,sft loss_weights=0.8,0.2,1");
    assertThat(loss.lossType()).containsExactly(LossType.SIGMOID, LossType.BCO_PAIR, LossType.SFT);
    assertThat(loss.lossWeights()).contains(List.of(0.8, 0.2, 1.0));
    assertThat(loss.objective().loss().name()).isEqualTo("sigmoid,bco_pair,sft");
  }
}
