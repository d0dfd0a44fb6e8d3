package org.dpo4j.api;

/**
 * A generated completion.
 *
 * @param text without the end token, or up to one of {@link Sampling#stops}
 * @param promptTokens tokens of the prompt, as the chat template renders it
 * @param tokens generated tokens, those of a stop text among them, the end token not counted
 * @param ended whether the model or a stop text ended it; otherwise it reached {@link
 *     Sampling#maxNewTokens} or the end of the context
 */
public record Completion(String text, int promptTokens, int tokens, boolean ended) {}
