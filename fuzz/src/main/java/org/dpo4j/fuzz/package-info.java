/**
 * Fuzz targets, one per parser: each takes the bytes of a file and fails on anything but a result
 * or a refusal in one clear message.
 *
 * <p>Nothing here is part of the product. {@code fuzz/run} runs them with Jazzer; {@link
 * org.dpo4j.fuzz.FuzzTarget} lists them.
 */
@NullMarked
package org.dpo4j.fuzz;

import org.jspecify.annotations.NullMarked;
