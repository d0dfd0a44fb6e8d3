/** TODO encode. */
@org.jspecify.annotations.NullMarked
package org.dpo4j.encode;
