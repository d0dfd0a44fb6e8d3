/**
 * Models as GGUF files for llama.cpp and the programs around it. In: a model's configuration, its
 * weights row by row, its tokenizer's files. Out: one file. A model whose computation or tokenizer
 * llama.cpp does not have is refused, never approximated. Start at {@link
 * org.dpo4j.gguf.GgufExport}; {@link org.dpo4j.gguf.Architectures} says which models are exported.
 */
@Internal
@NullMarked
package org.dpo4j.gguf;

import org.dpo4j.Internal;
import org.jspecify.annotations.NullMarked;
