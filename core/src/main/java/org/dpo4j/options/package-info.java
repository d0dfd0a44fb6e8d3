/**
 * Options declared as records. In: text from a command line, a YAML file or a map. Out: an
 * immutable record with checked values. The options themselves are declared elsewhere, as
 * components annotated with {@link org.dpo4j.options.Option}. Start at {@link
 * org.dpo4j.options.OptionTable}.
 */
@org.dpo4j.Internal
@org.jspecify.annotations.NullMarked
package org.dpo4j.options;
