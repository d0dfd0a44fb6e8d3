/**
 * Generates text. In: a model and a prompt. Out: a completion, one token at a time. Start at {@link
 * org.dpo4j.generate.Generator}.
 */
@Internal
@NullMarked
package org.dpo4j.generate;

import org.dpo4j.Internal;
import org.jspecify.annotations.NullMarked;
