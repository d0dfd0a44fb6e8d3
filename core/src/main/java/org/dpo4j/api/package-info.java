/**
 * The Java API: tune a language model on preference pairs, labelled completions or demonstrations,
 * then score and generate with it.
 *
 * <p>Start with {@link org.dpo4j.api.PreferenceTuning} to train and {@link
 * org.dpo4j.api.LanguageModel} to use a model. Values that a training run shares with its callers
 * (messages, listeners, reports, results, exceptions) are in {@link org.dpo4j}. No signature here
 * mentions a tensor. Only a {@code LanguageModel} has to be closed, and a stream of a file that is
 * not read to its end ({@link org.dpo4j.api.PreferencePair#read}).
 */
@NullMarked
package org.dpo4j.api;

import org.jspecify.annotations.NullMarked;
