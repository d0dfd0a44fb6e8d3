package org.dpo4j.plan;

/**
 * The sizes of what is trained in place of a model's own weights.
 *
 * @param parameters all trained numbers
 * @param factors those of the adapter's factors, each used once for every token
 * @param ranks the sum of the ranks over all layers that have factors
 */
public record AdapterShape(long parameters, long factors, long ranks) {}
