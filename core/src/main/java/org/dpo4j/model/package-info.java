/**
 * Causal language models: from token ids to final hidden states and logits. This package has the
 * layers that model families share. Each family has a subpackage ({@code .gpt}, {@code .llama}), as
 * do low-rank adapters ({@code .lora}).
 *
 * <p>A model takes its weights from a {@link org.dpo4j.model.ParameterSource} by name, kind and
 * shape; the source may read a checkpoint, draw random numbers or copy another model. This package
 * does not depend on files, preference pairs or losses. Start with {@link
 * org.dpo4j.model.CausalLm}, then {@link org.dpo4j.model.DecoderPass}, which computes the forward
 * and the backward pass on all threads, block by block.
 */
@Internal
@NullMarked
package org.dpo4j.model;

import org.dpo4j.Internal;
import org.jspecify.annotations.NullMarked;
