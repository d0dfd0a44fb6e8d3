/**
 * Totals of a data set before a run: lengths, boundaries, repeated and contradictory examples, and
 * what the completions have in common besides being better or worse. In: {@link
 * org.dpo4j.encode.EncodedRow}s, one at a time. Out: counts, and findings in words. Memory is
 * counted in bytes per example. Not here: what a single row is warned of, which {@code encode}
 * finds. Start with {@link org.dpo4j.survey.DataSurvey}.
 */
@Internal
@NullMarked
package org.dpo4j.survey;

import org.dpo4j.Internal;
import org.jspecify.annotations.NullMarked;
