/** The Llama family: rotary positions, RMS norm, grouped-query attention, gated SiLU MLP. */
@NullMarked
package org.dpo4j.model.llama;

import org.jspecify.annotations.NullMarked;
