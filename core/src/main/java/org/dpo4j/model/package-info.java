/** TODO model. */
@org.jspecify.annotations.NullMarked
package org.dpo4j.model;
