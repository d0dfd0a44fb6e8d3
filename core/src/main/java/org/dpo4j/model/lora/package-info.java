/**
 * Low-rank adapters: the model's weights are frozen, and trained low-rank products are added to the
 * output of selected linear layers. {@link org.dpo4j.model.lora.LoraModel} wraps a {@link
 * org.dpo4j.model.CausalLm} according to a {@link org.dpo4j.model.lora.LoraConfig}.
 *
 * <p>Names and rules are PEFT's, so that its files have the same meaning here; the package {@code
 * weights} reads and writes the files. Only {@link org.dpo4j.model.lora.LoraModel#merge} changes
 * the base weights. Start with {@code LoraModel}.
 */
@Internal
@NullMarked
package org.dpo4j.model.lora;

import org.dpo4j.Internal;
import org.jspecify.annotations.NullMarked;
