package org.dpo4j.config;

import org.dpo4j.generate.TokenSampler;
import org.dpo4j.options.Option;

/** How completions of prompts are sampled. */
public record Sampling(
    @Option(value = "4", help = "completions of each prompt") int numReturnSequences,
    @Option(value = "256", help = "max tokens of a completion") int maxNewTokens,
    @Option(value = "1", help = "0 = greedy, 1 = the unmodified distribution") double temperature,
    @Option(value = "1", help = "nucleus sampling: keep the top tokens of this probability")
        double topP,
    @Option(value = "0", help = "keep this number of top tokens; 0 keeps all") int topK,
    @Option(value = "32", help = "completions generated at a time; only speed depends on it")
        int generationBatchSize,
    @Option(value = "false", help = "use the prompts as they are, without the chat template")
        boolean raw) {

  public Sampling {
    OptionChecks.atLeast("num_return_sequences", numReturnSequences, 1, "4 is usual");
    OptionChecks.require(
        temperature > 0 || numReturnSequences == 1,
        "num_return_sequences",
        "1 with temperature 0, which gives equal completions,",
        numReturnSequences,
        "raise the temperature");
    OptionChecks.sampling(maxNewTokens, temperature);
    OptionChecks.topP(topP);
    OptionChecks.atLeast("top_k", topK, 0, "0 keeps all tokens");
    OptionChecks.atLeast("generation_batch_size", generationBatchSize, 1, "32 is usual");
  }

  /** Draws tokens as configured. */
  public TokenSampler tokens() {
    return new TokenSampler(temperature, topP, topK);
  }
}
