/** TODO report. */
@org.jspecify.annotations.NullMarked
package org.dpo4j.report;
