/**
 * Fetches models and data sets from the Hugging Face hub; besides {@code tracking} the only package
 * that connects to another machine. In: the name of a repository, a revision, patterns of file
 * names. Out: a folder whose files are those of one commit, each complete and with the hash that
 * the hub states, or not there.
 *
 * <p>Not here: uploads, a cache that tools share, and what the files mean. Start at {@link
 * org.dpo4j.hub.Download}.
 */
@Internal
@NullMarked
package org.dpo4j.hub;

import org.dpo4j.Internal;
import org.jspecify.annotations.NullMarked;
