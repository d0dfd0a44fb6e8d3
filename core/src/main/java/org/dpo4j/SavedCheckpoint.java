package org.dpo4j;

import java.nio.file.Path;

/**
 * A checkpoint that a run has saved.
 *
 * @param step steps done
 * @param folder {@code checkpoint-STEP} in the output folder
 * @param seconds time that saving took
 */
public record SavedCheckpoint(int step, Path folder, double seconds) {}
