/** TODO tokenizer. */
@org.jspecify.annotations.NullMarked
package org.dpo4j.tokenizer;
