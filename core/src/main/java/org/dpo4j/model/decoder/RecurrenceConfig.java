package org.dpo4j.model.decoder;

import org.dpo4j.model.GatedDeltaRule;

/** What the layers without attention have in its place. */
public sealed interface RecurrenceConfig {

  /** The path of its parts in a block. */
  String path();

  /** What it is, in words. */
  String words();

  /**
   * The {@link org.dpo4j.model.GatedConvolution} of LFM2, of the width of the hidden states.
   *
   * @param kernel number of tokens that an output depends on
   * @param bias whether the convolution and both projections have biases
   */
  record ShortConvolution(String path, int kernel, boolean bias) implements RecurrenceConfig {
    @Override
    public String words() {
      return "short convolutions";
    }
  }

  /**
   * The {@link GatedDeltaRule} of Qwen3.5.
   *
   * @param kernel number of tokens that a query, key or value depends on
   */
  record GatedDelta(String path, int kernel, GatedDeltaRule.Heads heads)
      implements RecurrenceConfig {
    public GatedDelta {
      if (heads.values() % heads.keys() != 0) {
        throw new IllegalArgumentException(
            "linear_num_value_heads must be a multiple of linear_num_key_heads (%d) but was %d"
                .formatted(heads.keys(), heads.values()));
      }
    }

    @Override
    public String words() {
      return "gated delta rules";
    }
  }
}
