package org.dpo4j.report;

import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * A prompt and what the model answered in the course of a run.
 *
 * @param bySteps at least one answer, by the steps done before it, in their order
 */
public record PromptAnswers(String prompt, Map<Integer, String> bySteps) {
  public PromptAnswers {
    bySteps = Collections.unmodifiableMap(new LinkedHashMap<>(bySteps));
  }
}
