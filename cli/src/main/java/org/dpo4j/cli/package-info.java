/** The command line. */
@org.jspecify.annotations.NullMarked
package org.dpo4j.cli;
