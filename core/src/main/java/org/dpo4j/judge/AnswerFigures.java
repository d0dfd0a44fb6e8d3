package org.dpo4j.judge;

import java.util.OptionalDouble;

/**
 * What a model's completions of some prompts scored.
 *
 * @param prompts number of prompts
 * @param completions number of completions; equal ones of a prompt are counted each
 * @param meanScore mean over completions
 * @param meanBestScore mean over prompts of the best score
 * @param passRate share of completions, in [0, 1], that score at least what is good; empty if
 *     nothing says what is good
 * @param solved share of prompts, in [0, 1], with at least one such completion; empty as above
 * @param meanTokens mean over completions; empty if a row does not say
 */
public record AnswerFigures(
    int prompts,
    long completions,
    double meanScore,
    double meanBestScore,
    OptionalDouble passRate,
    OptionalDouble solved,
    OptionalDouble meanTokens) {}
