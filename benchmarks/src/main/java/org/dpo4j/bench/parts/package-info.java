/**
 * JMH benchmarks of the parts of training: {@code benchmarks/run parts}. They find what became
 * slower; whether training is fast is what the suite measures.
 */
@NullMarked
package org.dpo4j.bench.parts;

import org.jspecify.annotations.NullMarked;
