package org.dpo4j.api;

/**
 * One token of a completion and its log-probability.
 *
 * @param id of the token
 * @param text of the token alone; U+FFFD where it is a part of a character
 * @param logProb log p(token given everything before it), in nats, at most 0
 */
public record TokenLogProb(int id, String text, double logProb) {}
