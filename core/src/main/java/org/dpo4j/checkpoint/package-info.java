/**
 * The output folder of a run: prepared before any work begins, filled under a pending name, and put
 * in place only when it is complete. The path and a list of input paths to protect enter; a folder
 * that holds everything or nothing leaves.
 *
 * <p>Never here: what the files contain, tensors, and deleting a folder that dpo4j did not write.
 * Start with {@link org.dpo4j.checkpoint.OutputFolder}.
 */
@NullMarked
package org.dpo4j.checkpoint;

import org.jspecify.annotations.NullMarked;
