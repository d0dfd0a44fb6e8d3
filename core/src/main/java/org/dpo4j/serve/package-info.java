/**
 * Answers requests over HTTP; the only package that listens. {@link org.dpo4j.serve.Server} speaks
 * OpenAI's API. In: an opened model and requests for chats and completions. Out: answers, whole or
 * as a stream of server-sent events. {@link org.dpo4j.serve.PageServer} shows pages to browsers of
 * this machine.
 *
 * <p>Not here: encryption, users, rate limits for each of them, tools and images. A proxy does the
 * first three.
 */
@Internal
@NullMarked
package org.dpo4j.serve;

import org.dpo4j.Internal;
import org.jspecify.annotations.NullMarked;
