/**
 * Log-probabilities of completions. In: a model and a batch. Out: for each completion, the sum over
 * its tokens of log p(token given all before it). Prompt tokens and unscored tokens never count.
 *
 * <p>This package does not depend on losses or optimizers. Start with {@link
 * org.dpo4j.logprob.SequenceLogProbs}, the definition, then {@link
 * org.dpo4j.logprob.LogProbEngine}, which training uses.
 */
@Internal
@NullMarked
package org.dpo4j.logprob;

import org.dpo4j.Internal;
import org.jspecify.annotations.NullMarked;
