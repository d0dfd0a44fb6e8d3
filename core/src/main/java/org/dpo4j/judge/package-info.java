/**
 * Scores completions. In: a prompt with completions. Out: a number for each, higher for a better
 * one. A rule sees text only as text: nothing of it is executed, except by the {@linkplain
 * org.dpo4j.judge.Judge#command command} that exists for that. Start at {@link
 * org.dpo4j.judge.Judge}.
 */
@Internal
@NullMarked
package org.dpo4j.judge;

import org.dpo4j.Internal;
import org.jspecify.annotations.NullMarked;
