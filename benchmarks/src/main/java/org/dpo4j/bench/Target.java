package org.dpo4j.bench;

/**
 * What was to be reached.
 *
 * @param what in words
 * @param wanted in words
 * @param measured in words
 * @param reached whether it was
 */
record Target(String what, String wanted, String measured, boolean reached) {}
