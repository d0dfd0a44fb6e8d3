/**
 * The output folder of a run: prepared before any work starts, filled under a pending name, and
 * moved into place when it is complete. In: the path and the input paths to protect. Out: a folder
 * with all files or none.
 *
 * <p>Not here: the content of the files, tensors, and deleting folders that dpo4j did not write.
 * Start at {@link org.dpo4j.checkpoint.OutputFolder}.
 */
@Internal
@NullMarked
package org.dpo4j.checkpoint;

import org.dpo4j.Internal;
import org.jspecify.annotations.NullMarked;
