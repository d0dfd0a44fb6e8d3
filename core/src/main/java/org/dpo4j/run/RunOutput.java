package org.dpo4j.run;

import java.io.PrintStream;

/**
 * Where a run speaks.
 *
 * @param out results: the header, one line for each logged step, scores
 * @param err all about them: warnings
 * @param progress how far it is
 */
public record RunOutput(PrintStream out, PrintStream err, Progress progress) {}
