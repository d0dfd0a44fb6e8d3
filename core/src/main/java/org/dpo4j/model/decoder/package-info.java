/**
 * The model of all supported families: a stack of blocks of attention and MLP, whose parts, places
 * and names {@link org.dpo4j.model.decoder.DecoderConfig} sets. A family of checkpoints is a
 * configuration, read in {@code org.dpo4j.weights}; a new kind of part belongs here. Start with
 * {@link org.dpo4j.model.decoder.Decoder}.
 */
@Internal
@NullMarked
package org.dpo4j.model.decoder;

import org.dpo4j.Internal;
import org.jspecify.annotations.NullMarked;
