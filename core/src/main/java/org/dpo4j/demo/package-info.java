/**
 * The textbook exercise, part by part: {@link org.dpo4j.demo.InstructionTokenizer}, {@link
 * org.dpo4j.demo.TinyGpt}, twelve preference triples, and DPO on them with plain numbers. In: a
 * seed and settings. Out: losses, margins and a table of log-probabilities. No other package uses
 * this one. Start with {@link org.dpo4j.demo.Dpo}.
 */
@org.jspecify.annotations.NullMarked
package org.dpo4j.demo;
