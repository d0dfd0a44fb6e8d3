/** The GPT family: learned positions, layer norm before each block, GELU. */
@NullMarked
package org.dpo4j.model.gpt;

import org.jspecify.annotations.NullMarked;
