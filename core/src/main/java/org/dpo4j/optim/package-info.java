/**
 * Optimization: AdamW, gradient clipping, learning-rate schedules. The input is a gradient; the
 * output is changed weights. Losses and data do not occur here.
 *
 * <p>Start with {@link org.dpo4j.optim.AdamW}.
 */
@Internal
@NullMarked
package org.dpo4j.optim;

import org.dpo4j.Internal;
import org.jspecify.annotations.NullMarked;
