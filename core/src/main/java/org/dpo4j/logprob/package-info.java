/** TODO logprob. */
@org.jspecify.annotations.NullMarked
package org.dpo4j.logprob;
