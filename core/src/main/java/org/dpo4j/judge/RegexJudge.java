package org.dpo4j.judge;

import java.util.List;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.dpo4j.DpoException;
import org.dpo4j.data.SampledPrompt;
import org.dpo4j.options.CountedText;
import org.jspecify.annotations.Nullable;

/** Looks for a regular expression, and compares what its first group holds. */
record RegexJudge(Pattern pattern, Optional<String> answer) implements Judge {
  /** Characters looked at in one completion. */
  private static final int STEPS = 10_000_000;

  @Override
  public double[] scores(SampledPrompt prompt) {
    Optional<List<String>> answers = answer.map(column -> Answers.of(prompt, column));
    return prompt.completions().stream()
        .mapToDouble(
            completion -> {
              String found = last(prompt, completion);
              boolean right =
                  found != null
                      && answers.map(all -> all.contains(Answers.normalized(found))).orElse(true);
              return right ? 1 : 0;
            })
        .toArray();
  }

  /** What the first group of the last match holds, or the match; null without a match. */
  private @Nullable String last(SampledPrompt prompt, SampledPrompt.Completion completion) {
    CountedText text = new CountedText(completion.text(), STEPS, () -> failed(prompt, completion));
    Matcher matcher = pattern.matcher(text);
    String found = null;
    try {
      while (matcher.find()) {
        String group = matcher.group(Math.min(1, matcher.groupCount()));
        found = group == null ? "" : group;
      }
    } catch (StackOverflowError e) {
      throw failed(prompt, completion);
    }
    return found;
  }

  private DpoException failed(SampledPrompt prompt, SampledPrompt.Completion completion) {
    return new DpoException(
        "%s the regular expression %s must decide on a completion within %,d steps but does not on completion %d; write it without nested repetitions"
            .formatted(prompt.origin(), pattern, STEPS, completion.number() + 1));
  }
}
