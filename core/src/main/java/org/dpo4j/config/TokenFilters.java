package org.dpo4j.config;

import org.dpo4j.generate.TokenSampler;
import org.dpo4j.options.Option;

/** Which tokens may be drawn: the same options in all commands that print answers. */
public record TokenFilters(
    @Option(value = "1", help = "nucleus sampling: keep the top tokens of this probability")
        double topP,
    @Option(value = "0", help = "keep this number of top tokens; 0 keeps all") int topK,
    @Option(value = "0", help = "keep tokens this times as probable as the top one; 0 keeps all")
        double minP,
    @Option(value = "1", help = "above 1 makes tokens of prompt and completion less probable")
        double repetitionPenalty) {

  public TokenFilters {
    OptionChecks.topP(topP);
    OptionChecks.atLeast("top_k", topK, 0, "0 keeps all tokens");
    OptionChecks.share("min_p", minP, "0 turns it off");
    OptionChecks.require(
        repetitionPenalty >= TokenSampler.LEAST_PENALTY
            && repetitionPenalty <= TokenSampler.LARGEST_PENALTY,
        "repetition_penalty",
        "between 0.01 and 100",
        repetitionPenalty,
        "1 turns it off");
  }

  /** Draws from what is left. */
  TokenSampler tokens(double temperature) {
    return new TokenSampler(temperature, topP, topK, minP, repetitionPenalty);
  }
}
