/**
 * Log-probabilities of pairs under policy and reference in, one loss and two implicit rewards per
 * pair out. One record per formula; what may be set around every formula (f-divergence, weights of
 * tokens and pairs) is {@link org.dpo4j.loss.Objective}'s.
 *
 * <p>Nothing here knows about models, batches or optimizers. Start with {@link
 * org.dpo4j.loss.SigmoidLoss}.
 */
@NullMarked
package org.dpo4j.loss;

import org.jspecify.annotations.NullMarked;
