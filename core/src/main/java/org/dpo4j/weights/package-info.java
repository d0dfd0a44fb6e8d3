/**
 * Reads and writes models in the Hugging Face layout. In: a folder with {@code config.json} and
 * safetensors files. Out: a {@link org.dpo4j.model.CausalLm} in fp32. A trained model is written in
 * the same layout under the same names. LoRA adapters use PEFT's layout: {@link
 * org.dpo4j.weights.PeftAdapter}.
 *
 * <p>Headers are checked before memory is allocated or native code is called, and every weight is
 * matched by name, shape and type: nothing is guessed, skipped or initialized silently. Tokenizer
 * files are copied, not read. Start at {@link org.dpo4j.weights.ModelReader}; a new family is a
 * {@code ModelFamily} listed there.
 */
@Internal
@NullMarked
package org.dpo4j.weights;

import org.dpo4j.Internal;
import org.jspecify.annotations.NullMarked;
