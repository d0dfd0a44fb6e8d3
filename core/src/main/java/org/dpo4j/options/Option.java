package org.dpo4j.options;

import java.lang.annotation.Documented;
import java.lang.annotation.ElementType;
import java.lang.annotation.Retention;
import java.lang.annotation.RetentionPolicy;
import java.lang.annotation.Target;

/**
 * Declares a component of a configuration record as an option: a flag of the command line, a key in
 * YAML files, a line in the help and in the resolved configuration.
 *
 * <p>The option has the component's name in snake case ({@code learningRate} is {@code
 * learning_rate}). Its type is the component's; a component without a default is required unless it
 * is an {@link java.util.Optional}.
 */
@Documented
@Retention(RetentionPolicy.RUNTIME)
@Target(ElementType.RECORD_COMPONENT)
public @interface Option {

  /** The default, spelled as a user would; empty for none. */
  String value() default "";

  /** A short description; the help has one line per option. */
  String help();

  /** Whether the path {@code -} means the standard stream; it is refused elsewhere. */
  boolean stream() default false;

  /** Other accepted names, in snake case. */
  String[] aliases() default {};
}
