package org.dpo4j.api;

/**
 * A generated completion.
 *
 * @param text without the end token
 * @param tokens generated tokens, the end token not counted
 * @param ended whether the model ended it; otherwise it reached {@link Sampling#maxNewTokens} or
 *     the end of the context
 */
public record Completion(String text, int tokens, boolean ended) {}
