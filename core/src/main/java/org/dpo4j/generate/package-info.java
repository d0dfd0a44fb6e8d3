/**
 * Generates text. In: a model and prompts. Out: completions, token by token, many at a time. Start
 * at {@link org.dpo4j.generate.Generator}.
 */
@Internal
@NullMarked
package org.dpo4j.generate;

import org.dpo4j.Internal;
import org.jspecify.annotations.NullMarked;
