/** Checks against an external folder of fixtures, which the ordinary build leaves out. */
@org.jspecify.annotations.NullMarked
package org.dpo4j.parity;
