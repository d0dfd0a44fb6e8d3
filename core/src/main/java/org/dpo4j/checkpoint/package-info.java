/** TODO checkpoint. */
@org.jspecify.annotations.NullMarked
package org.dpo4j.checkpoint;
