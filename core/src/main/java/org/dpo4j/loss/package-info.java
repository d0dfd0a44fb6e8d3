/**
 * Losses on preference pairs. In: log-probabilities under policy and reference. Out: one loss and
 * two implicit rewards per pair. Each formula is one record; {@link org.dpo4j.loss.Objective} adds
 * the options that apply to every formula: f-divergence and weights of tokens and pairs.
 *
 * <p>This package does not depend on models, batches or optimizers. Start with {@link
 * org.dpo4j.loss.SigmoidLoss}.
 */
@NullMarked
package org.dpo4j.loss;

import org.jspecify.annotations.NullMarked;
