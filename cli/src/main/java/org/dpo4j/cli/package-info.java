/**
 * The command line: arguments enter; an exit code and lines on stdout and stderr leave. One class
 * for each command: parse, build the configuration, call core. Nothing is computed here.
 *
 * <p>Options are declared in the configuration records of {@code org.dpo4j.run}; this package only
 * gives them dashes. Start reading at {@link org.dpo4j.cli.Main}, then {@link
 * org.dpo4j.cli.TrainCommand}.
 */
@org.jspecify.annotations.NullMarked
package org.dpo4j.cli;
