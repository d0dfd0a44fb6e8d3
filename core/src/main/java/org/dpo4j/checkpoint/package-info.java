/**
 * The output folder of a run: locked and checked before any work starts; checkpoints and metrics
 * appear while the run lives, the finished files together at its end. In: the path, the input paths
 * to protect, and writers of files. Out: a folder in which every file is complete, whenever the
 * process dies.
 *
 * <p>Not here: the content of the files, tensors, and deleting folders that dpo4j did not write.
 * Start at {@link org.dpo4j.checkpoint.OutputFolder}.
 */
@Internal
@NullMarked
package org.dpo4j.checkpoint;

import org.dpo4j.Internal;
import org.jspecify.annotations.NullMarked;
