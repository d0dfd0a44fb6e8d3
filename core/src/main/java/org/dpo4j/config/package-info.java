/**
 * What the commands can be told: one record per command, its defaults and its rules. Option values
 * enter; a configuration in which no two options contradict each other leaves. Nothing is opened or
 * computed here. Start with {@link org.dpo4j.config.TrainingConfig}.
 */
@org.dpo4j.Internal
@org.jspecify.annotations.NullMarked
package org.dpo4j.config;
