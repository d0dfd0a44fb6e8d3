/**
 * Wires the packages together. A {@link org.dpo4j.run.TrainingConfig} enters; a folder with a tuned
 * checkpoint leaves. No formula lives here.
 *
 * <p>Configuration: each component of a record marked {@link org.dpo4j.run.Option} is one option;
 * {@link org.dpo4j.run.OptionTable} reads and writes records by option name. Start reading at
 * {@link org.dpo4j.run.TrainingConfig}.
 */
@org.jspecify.annotations.NullMarked
package org.dpo4j.run;
