/**
 * Losses on preference pairs, on labelled completions and on demonstrations. In: log-probabilities
 * under policy and reference. Out: one loss per example, and the implicit rewards. Each formula is
 * one record; {@link org.dpo4j.loss.Objective} adds the options that apply to every formula:
 * f-divergence and weights of tokens and pairs.
 *
 * <p>This package does not depend on models, batches or optimizers. Start with {@link
 * org.dpo4j.loss.SigmoidLoss}.
 */
@NullMarked
package org.dpo4j.loss;

import org.jspecify.annotations.NullMarked;
