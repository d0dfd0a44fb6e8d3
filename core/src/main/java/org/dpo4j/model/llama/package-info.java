/**
 * The Llama family: rotary positions, RMS norm, grouped-query attention, gated MLP. Mistral, Qwen2,
 * Qwen3, SmolLM3 and Phi-3 are the same model with other switches.
 */
@Internal
@NullMarked
package org.dpo4j.model.llama;

import org.dpo4j.Internal;
import org.jspecify.annotations.NullMarked;
