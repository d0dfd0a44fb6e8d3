package org.dpo4j.judge;

import java.util.List;
import org.dpo4j.data.SampledPrompt;

/** Compares a completion with the answers of its row. */
record ExactJudge(String answer) implements Judge {

  @Override
  public double[] scores(SampledPrompt prompt) {
    List<String> answers = Answers.of(prompt, answer);
    return prompt.completions().stream()
        .mapToDouble(each -> answers.contains(Answers.normalized(each.text())) ? 1 : 0)
        .toArray();
  }
}
