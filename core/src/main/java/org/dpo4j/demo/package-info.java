/**
 * The textbook exercise, part by part: {@link org.dpo4j.demo.InstructionTokenizer}, {@link
 * org.dpo4j.demo.TinyGpt}, twelve preference triples, and DPO on them. Nothing enters but options;
 * a comparison of losses and margins leaves. No other package uses this one. Start with {@link
 * org.dpo4j.demo.DemoTraining}.
 */
@org.jspecify.annotations.NullMarked
package org.dpo4j.demo;
