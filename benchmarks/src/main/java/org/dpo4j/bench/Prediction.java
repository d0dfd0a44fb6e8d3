package org.dpo4j.bench;

/**
 * What was said of a run before it.
 *
 * @param memoryBytes of the process at its peak
 * @param stepSeconds of a step
 */
record Prediction(long memoryBytes, double stepSeconds) {}
