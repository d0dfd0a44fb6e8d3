/** The GPT family: learned positions, layer norm before each block, GELU. */
@Internal
@NullMarked
package org.dpo4j.model.gpt;

import org.dpo4j.Internal;
import org.jspecify.annotations.NullMarked;
