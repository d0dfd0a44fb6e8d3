/**
 * Low-rank adapters: a model's weights stay as they are, and what is trained is added to the output
 * of chosen linear layers. A {@link org.dpo4j.model.CausalLm} and a {@link
 * org.dpo4j.model.lora.LoraConfig} enter, a {@link org.dpo4j.model.lora.LoraModel} leaves.
 *
 * <p>Names and rules are PEFT's, so that its files mean the same here; the files themselves are
 * read and written in {@code weights}. The base weights are never changed but by {@link
 * org.dpo4j.model.lora.LoraModel#merge}. Start with {@code LoraModel}.
 */
@Internal
@NullMarked
package org.dpo4j.model.lora;

import org.dpo4j.Internal;
import org.jspecify.annotations.NullMarked;
