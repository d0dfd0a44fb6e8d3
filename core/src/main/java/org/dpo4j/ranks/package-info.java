/**
 * Several processes that train one model together, one rank each.
 *
 * <p>A launcher sets {@code MASTER_ADDR}, {@code MASTER_PORT}, {@code RANK} and {@code WORLD_SIZE},
 * as for PyTorch: {@link org.dpo4j.ranks.RankAddress} reads them. {@link org.dpo4j.ranks.Ranks}
 * adds up tensors and numbers over all ranks by libtorch's Gloo, and is the only place that knows
 * about other processes. Start with {@link org.dpo4j.ranks.Ranks#of}.
 */
@Internal
@NullMarked
package org.dpo4j.ranks;

import org.dpo4j.Internal;
import org.jspecify.annotations.NullMarked;
