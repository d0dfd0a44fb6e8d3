package org.dpo4j.judge;

import java.util.function.IntToDoubleFunction;
import org.dpo4j.DpoException;
import org.dpo4j.data.SampledPrompt;

/** Scores the number of tokens. */
record LengthJudge(IntToDoubleFunction score) implements Judge {

  @Override
  public double[] scores(SampledPrompt prompt) {
    return prompt.completions().stream()
        .mapToDouble(
            completion -> {
              if (completion.tokens() < 0) {
                throw new DpoException(
                    "%s completion %d must say its number of \"tokens\" to be judged by length; sample writes it"
                        .formatted(prompt.origin(), completion.number() + 1));
              }
              return score.applyAsDouble(completion.tokens());
            })
        .toArray();
  }
}
