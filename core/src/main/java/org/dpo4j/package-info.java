/**
 * Values that a training run shares with its callers: messages, listeners, reports, results and
 * exceptions. {@link org.dpo4j.api} has the entry points.
 */
@org.jspecify.annotations.NullMarked
package org.dpo4j;
