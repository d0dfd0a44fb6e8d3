/**
 * Batches of encoded examples: which examples form a micro-batch, in which order, and the layout of
 * their tokens (contiguous, without padding, a prompt shared by its completions).
 *
 * <p>This package does not depend on models or losses. Start with {@link
 * org.dpo4j.batch.FlatSequences}.
 */
@Internal
@NullMarked
package org.dpo4j.batch;

import org.dpo4j.Internal;
import org.jspecify.annotations.NullMarked;
