package org.dpo4j.config;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.HashMap;
import java.util.Map;
import org.dpo4j.UsageException;
import org.junit.jupiter.api.Test;

/** Closes: a checkpoint that a later version refuses, or continues as another run. */
class ResumeRulesTest {

  private static TrainingConfig config(Map<String, ?> more) {
    Map<String, Object> options =
        new HashMap<>(Map.of("model", "m", "data_file", "d.jsonl", "output_dir", "o"));
    options.putAll(more);
    return TrainingConfig.of(options);
  }

  @Test
  void anOptionThatTheCheckpointsVersionDidNotHaveHadItsDefault() {
    Map<String, String> saved = ResumeRules.texts(config(Map.of()));
    assertThat(saved.remove("beta")).isEqualTo("0.1");

    assertThat(ResumeRules.check(saved, config(Map.of()))).isEmpty();
    assertThatThrownBy(() -> ResumeRules.check(saved, config(Map.of("beta", 0.2))))
        .isInstanceOf(UsageException.class)
        .hasMessageContaining("beta was 0.1 and is now 0.2");
  }

  @Test
  void anOptionWithoutADefaultThatIsGivenOnOneSideAloneDiffers() {
    Map<String, String> without = ResumeRules.texts(config(Map.of()));
    TrainingConfig with = config(Map.of("ld_alpha", 0.25));

    assertThatThrownBy(() -> ResumeRules.check(without, with))
        .hasMessageContaining("ld_alpha was not given and is now 0.25");
    assertThatThrownBy(() -> ResumeRules.check(ResumeRules.texts(with), config(Map.of())))
        .hasMessageContaining("ld_alpha was 0.25 and is now not given");
  }

  @Test
  void whatChangesNoNumberMayDifferAndWhatChangesRoundingIsNamed() {
    Map<String, String> saved = ResumeRules.texts(config(Map.of("threads", 1)));

    assertThat(ResumeRules.check(saved, config(Map.of("threads", 1, "save_steps", 7)))).isEmpty();
    assertThat(ResumeRules.check(saved, config(Map.of("threads", 2))))
        .singleElement()
        .asString()
        .contains("threads was 1 and is now 2");
  }
}
