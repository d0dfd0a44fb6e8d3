/**
 * Encoded pairs in, flat batches out: which pairs form a micro-batch, in which order, and how their
 * tokens lie in memory (no padding, a prompt shared by its completions).
 *
 * <p>Nothing here knows about models or losses. Start with {@link org.dpo4j.batch.FlatSequences}.
 */
@NullMarked
package org.dpo4j.batch;

import org.jspecify.annotations.NullMarked;
