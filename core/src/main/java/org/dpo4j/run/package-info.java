/** TODO run. */
@org.jspecify.annotations.NullMarked
package org.dpo4j.run;
