/**
 * Options as records. Text from a command line, a YAML file or a map enters; an immutable record
 * with checked values leaves. Which options exist is not known here: every component that is marked
 * {@link org.dpo4j.options.Option} is one. Start with {@link org.dpo4j.options.OptionTable}.
 */
@org.jspecify.annotations.NullMarked
package org.dpo4j.options;
