/** TODO reference. */
@org.jspecify.annotations.NullMarked
package org.dpo4j.reference;
