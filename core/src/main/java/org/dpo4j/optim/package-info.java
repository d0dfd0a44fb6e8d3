/**
 * Gradients in, changed weights out: AdamW, clipping, learning-rate schedules.
 *
 * <p>Nothing here knows about losses or data. Start with {@link org.dpo4j.optim.AdamW}.
 */
@NullMarked
package org.dpo4j.optim;

import org.jspecify.annotations.NullMarked;
