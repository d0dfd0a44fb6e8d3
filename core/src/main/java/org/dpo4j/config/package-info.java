/**
 * The options of the commands: one record per command, with its defaults and rules. The input is
 * option values; the output is a configuration in which no two options contradict each other. This
 * package opens no file and computes nothing. Start with {@link org.dpo4j.config.TrainingConfig}.
 */
@org.dpo4j.Internal
@org.jspecify.annotations.NullMarked
package org.dpo4j.config;
