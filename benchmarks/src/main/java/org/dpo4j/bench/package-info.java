/**
 * The end-to-end suite: whole training runs of the command line, each in a process of its own,
 * their steps and memory measured, beside TRL where it is there.
 *
 * <p>Nothing here is part of the product. Start with {@link org.dpo4j.bench.Suite}.
 */
@NullMarked
package org.dpo4j.bench;

import org.jspecify.annotations.NullMarked;
