package org.dpo4j.model.lora;

import static org.assertj.core.api.Assertions.assertThat;
import static org.dpo4j.Closeness.relative;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

/** Closes: layers, ranks or scales that are chosen by other rules than PEFT's. */
class LoraConfigTest {

  private static final String QUERY = "model.layers.1.self_attn.q_proj";

  @Test
  void aNameIsAWholePathOrWhatFollowsADot() {
    TargetModules names = new TargetModules.Named(List.of("q_proj", "mlp.c_proj"));
    assertThat(names.matches(QUERY)).isTrue();
    assertThat(names.matches("q_proj")).isTrue();
    assertThat(names.matches("h.0.mlp.c_proj")).isTrue();
    assertThat(names.matches("h.0.attn.c_proj")).isFalse();
    assertThat(names.matches("model.layers.1.self_attn.seq_proj")).isFalse();
    assertThat(names.matches(QUERY + ".inner")).isFalse();
  }

  @Test
  void aPatternMustMatchTheWholePath() {
    assertThat(matching("q_proj").matches(QUERY)).isFalse();
    assertThat(matching(".*q_proj").matches(QUERY)).isTrue();
    assertThat(matching("model.layers.1").matches(QUERY)).isFalse();
    assertThat(matching(".*\\.[13]\\..*(q|v)_proj").matches(QUERY)).isTrue();
    assertThat(matching(".*\\.[23]\\..*(q|v)_proj").matches(QUERY)).isFalse();
  }

  @Test
  void allLinearLeavesTheHeadOut() {
    TargetModules all = new TargetModules.AllLinear();
    assertThat(all.matches(QUERY)).isTrue();
    assertThat(all.matches("lm_head")).isFalse();
  }

  @Test
  void theFirstPatternThatFitsTheEndOfAPathDecidesItsRankAndAlpha() {
    Map<String, Integer> ranks = new LinkedHashMap<>();
    ranks.put("layers\\.1\\..*", 2);
    ranks.put("q_proj", 3);
    LoraConfig config = config(false, ranks, Map.of("v_proj", 6.0));
    assertThat(config.rank(QUERY)).isEqualTo(2);
    assertThat(config.rank("model.layers.0.self_attn.q_proj")).isEqualTo(3);
    assertThat(config.rank("model.layers.0.self_attn.seq_proj")).isEqualTo(4);
    assertThat(config.scale("model.layers.0.self_attn.v_proj")).isEqualTo(6.0 / 4);
    assertThat(config.scale(QUERY)).isEqualTo(8.0 / 2);
  }

  @Test
  void theScaleIsAlphaOverTheRankOrOverItsRoot() {
    assertThat(config(false, Map.of(), Map.of()).scale(QUERY)).isEqualTo(8.0 / 4);
    assertThat(config(true, Map.of(), Map.of()).scale(QUERY)).isEqualTo(8 / Math.sqrt(4));
    assertThat(config(true, Map.of("q_proj", 3), Map.of()).scale(QUERY))
        .usingComparator(relative(1e-6))
        .isEqualTo(8 / 1.7320508);
  }

  private static TargetModules matching(String pattern) {
    return new TargetModules.Matching("target_modules", pattern);
  }

  private static LoraConfig config(
      boolean rsLora, Map<String, Integer> ranks, Map<String, Double> alphas) {
    return new LoraConfig(4, 8, 0, rsLora, new TargetModules.AllLinear(), List.of(), ranks, alphas);
  }
}
