/**
 * Losses on preference pairs. The input is log-probabilities under policy and reference; the output
 * is one loss and two implicit rewards per pair. One record per formula; {@link
 * org.dpo4j.loss.Objective} adds the options that apply to every formula: f-divergence and weights
 * of tokens and pairs.
 *
 * <p>Models, batches and optimizers do not occur here. Start with {@link
 * org.dpo4j.loss.SigmoidLoss}.
 */
@NullMarked
package org.dpo4j.loss;

import org.jspecify.annotations.NullMarked;
