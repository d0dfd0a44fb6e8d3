/**
 * Answers requests over HTTP in the form of OpenAI's API; the only package that listens. In: an
 * opened model and requests for chats and completions. Out: answers, whole or as a stream of
 * server-sent events.
 *
 * <p>Not here: encryption, users, rate limits for each of them, tools and images. A proxy does the
 * first three. Start at {@link org.dpo4j.serve.Server}.
 */
@Internal
@NullMarked
package org.dpo4j.serve;

import org.dpo4j.Internal;
import org.jspecify.annotations.NullMarked;
