/**
 * The training loop. {@link org.dpo4j.train.TrainingSession} holds the state of a run and computes
 * its steps. In: examples, a policy, a reference and a loss. Out: updated weights and reports.
 * {@link org.dpo4j.train.Trainer} advances a session, evaluates and delivers events to {@link
 * org.dpo4j.TrainingListener}s. Gradients of micro-batches are accumulated, so a different division
 * of a step into micro-batches changes its numbers only by rounding.
 *
 * <p>Nothing here reads or writes files or prints. Start with {@link org.dpo4j.train.Trainer}; to
 * add a listener, implement {@link org.dpo4j.TrainingListener}.
 */
@Internal
@NullMarked
package org.dpo4j.train;

import org.dpo4j.Internal;
import org.jspecify.annotations.NullMarked;
