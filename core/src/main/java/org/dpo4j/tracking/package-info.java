/**
 * Sends the metrics of a run to a tracking server while the run lives; besides {@code hub} the only
 * package that connects to another machine, and only if {@code report_to} names a tracker. In: the
 * entries of {@code log_history}, the options, and the environment that names the server. Out: a
 * run on that server, or one warning that says what it does not have.
 *
 * <p>Not here: models and other files, and anything that a run would wait for: a server that is
 * slow or gone costs a run a few seconds at its end. Start at {@link org.dpo4j.tracking.MlflowRun}.
 */
@Internal
@NullMarked
package org.dpo4j.tracking;

import org.dpo4j.Internal;
import org.jspecify.annotations.NullMarked;
