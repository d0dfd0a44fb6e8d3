/**
 * The configuration of each command: one record with its defaults and rules. In: option values.
 * Out: a configuration in which no two options contradict each other. Nothing is opened or computed
 * here. Start with {@link org.dpo4j.config.TrainingConfig}.
 */
@org.dpo4j.Internal
@org.jspecify.annotations.NullMarked
package org.dpo4j.config;
