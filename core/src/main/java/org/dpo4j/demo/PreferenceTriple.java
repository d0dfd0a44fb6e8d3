package org.dpo4j.demo;

/**
 * A prompt with a preferred and a dispreferred answer.
 *
 * @param prompt x
 * @param chosen y_w, the preferred answer
 * @param rejected y_l, the dispreferred answer
 */
public record PreferenceTriple(String prompt, String chosen, String rejected) {}
