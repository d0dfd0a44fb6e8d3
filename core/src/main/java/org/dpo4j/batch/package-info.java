/** TODO batch. */
@org.jspecify.annotations.NullMarked
package org.dpo4j.batch;
