package org.dpo4j.report;

import org.dpo4j.judge.AnswerFigures;
import org.jspecify.annotations.Nullable;

/**
 * A round in a few numbers.
 *
 * @param round from 1; 0 is the model before the first round
 * @param rows rows that the round trained on, those of earlier rounds included; 0 for round 0
 * @param training null for round 0
 * @param answers what the model after the round scores; null without a judge, or if it is not known
 *     yet
 * @param seconds wall time of the round
 */
public record RoundFigures(
    int round,
    int rows,
    @Nullable TrainingFigures training,
    @Nullable AnswerFigures answers,
    double seconds) {}
