/**
 * A tuned model as a chat model of LangChain4j, in the same process.
 *
 * <p>A {@code ChatRequest} enters; a {@code ChatResponse} leaves, whole or piece by piece. What a
 * request asks for and the model does not do (tools, JSON by a grammar, images) is refused, never
 * ignored. No connection is opened, and no model is opened or closed here: the caller owns the
 * {@link org.dpo4j.api.LanguageModel}.
 *
 * <p>Start with {@link org.dpo4j.langchain4j.Dpo4jChatModel} for whole answers, {@link
 * org.dpo4j.langchain4j.Dpo4jStreamingChatModel} for streamed ones. {@code TunedModel} has what
 * both share.
 */
@NullMarked
package org.dpo4j.langchain4j;

import org.jspecify.annotations.NullMarked;
