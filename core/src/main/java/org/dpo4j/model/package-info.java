/**
 * Causal language models: token ids in, final hidden states and logits out. Blocks that families
 * share are here; each family has a package below ({@code .gpt}, {@code .llama}), and so have
 * adapters ({@code .lora}), which a linear layer has a slot for.
 *
 * <p>A model asks a {@link org.dpo4j.model.ParameterSource} for each of its weights by name, kind
 * and shape; whether that source reads a checkpoint, draws random numbers or copies another model
 * is not its business. Nothing here knows about files, preference pairs or losses. Start with
 * {@link org.dpo4j.model.CausalLm}, then {@link org.dpo4j.model.DecoderPass}, which runs one on all
 * threads and goes back, block by block ({@code LayerPass}).
 */
@Internal
@NullMarked
package org.dpo4j.model;

import org.dpo4j.Internal;
import org.jspecify.annotations.NullMarked;
