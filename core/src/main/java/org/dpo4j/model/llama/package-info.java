/**
 * The Llama family: rotary positions, RMS norm, grouped-query attention, gated MLP. Mistral, Qwen2,
 * Qwen3, SmolLM3 and Phi-3 are configurations of the same model.
 */
@Internal
@NullMarked
package org.dpo4j.model.llama;

import org.dpo4j.Internal;
import org.jspecify.annotations.NullMarked;
