package org.dpo4j.data;

/**
 * Held-out rows that are evaluated together.
 *
 * @param name in the names of their metrics; empty if a run has only these
 * @param input the rows
 */
public record NamedInput(String name, DataInput input) {}
