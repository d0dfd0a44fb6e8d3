/**
 * The command line. In: arguments. Out: an exit code, and text on stdout and stderr. One class per
 * command: it parses, builds the configuration and calls core. Not here: computation.
 *
 * <p>Options are declared in the configuration records of {@code org.dpo4j.config}; this package
 * adds the dashes. Start at {@link org.dpo4j.cli.Main}, then {@link org.dpo4j.cli.TrainCommand}.
 */
@org.jspecify.annotations.NullMarked
package org.dpo4j.cli;
