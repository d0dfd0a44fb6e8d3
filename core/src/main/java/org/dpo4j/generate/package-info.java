/**
 * A model and a prompt in, a completion out, one token at a time. Start with {@link
 * org.dpo4j.generate.Generator}.
 */
@NullMarked
package org.dpo4j.generate;

import org.jspecify.annotations.NullMarked;
