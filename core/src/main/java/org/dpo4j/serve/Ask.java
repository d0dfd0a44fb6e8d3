package org.dpo4j.serve;

import java.util.List;
import org.dpo4j.generate.TokenSampler;

/**
 * What a request asks for.
 *
 * @param prompt token ids
 * @param answers number of answers
 * @param maxTokens of an answer; the context may end it earlier
 * @param stops texts that end an answer
 * @param logProbs whether the log-probability of each token is told
 * @param alternatives how many of the most probable tokens are told beside each token
 * @param stream whether the answer comes piece by piece
 * @param streamedUsage whether the stream ends with the counts of tokens
 */
@SuppressWarnings("ArrayRecordComponent") // never compared
record Ask(
    int[] prompt,
    int answers,
    int maxTokens,
    TokenSampler sampler,
    long seed,
    List<String> stops,
    boolean logProbs,
    int alternatives,
    boolean stream,
    boolean streamedUsage) {}
