/**
 * Hugging Face folders in and out. A folder with {@code config.json} and safetensors files enters,
 * a {@link org.dpo4j.model.CausalLm} in fp32 leaves; a trained model goes back to the same layout
 * under the same names. LoRA adapters come and go in PEFT's layout: {@link
 * org.dpo4j.weights.PeftAdapter}.
 *
 * <p>Everything a file says about itself is checked before memory is taken or native code sees a
 * byte, and every weight is matched by name, shape and type: nothing is guessed, skipped or
 * initialized in silence. Tokenizer files are copied, not read. Start with {@link
 * org.dpo4j.weights.ModelReader}; a new family is a {@code ModelFamily} listed there.
 */
@NullMarked
package org.dpo4j.weights;

import org.jspecify.annotations.NullMarked;
