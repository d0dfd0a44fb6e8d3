/**
 * The loop: batches, a policy, a reference and a loss in; a changed policy and reports out.
 * Micro-batches of a step are summed, so that how a step is cut changes no number beyond rounding.
 *
 * <p>Nothing here reads or writes files or prints. Start with {@link org.dpo4j.train.Trainer}.
 */
@NullMarked
package org.dpo4j.train;

import org.jspecify.annotations.NullMarked;
