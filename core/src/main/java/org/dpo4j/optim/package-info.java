/**
 * Optimization: AdamW, gradient clipping, learning-rate schedules. In: a gradient. Out: updated
 * weights. This package does not depend on losses or data.
 *
 * <p>Start with {@link org.dpo4j.optim.AdamW}.
 */
@Internal
@NullMarked
package org.dpo4j.optim;

import org.dpo4j.Internal;
import org.jspecify.annotations.NullMarked;
