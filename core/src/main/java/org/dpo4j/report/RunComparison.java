package org.dpo4j.report;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * What a report says of several runs beside each other.
 *
 * @param title of the page
 * @param subtitle below it
 * @param better whether the runs differ by more than chance, in sentences
 * @param figures held-out figures with a column for each run, and tables of {@code eval}
 * @param curves an SVG, if there is a curve
 * @param apart what is the same and what is not, in sentences
 * @param options those that differ, with a column for each run
 * @param data the files with their hashes, with a column for each run
 * @param doctor what the curves of each run mean, in sentences, by its name
 * @param costs times and memory, with a column for each run
 * @param changed held-out pairs on which runs differ, in sentences
 * @param pairs those that are shown
 * @param madeBy the program that made the report
 */
public record RunComparison(
    String title,
    String subtitle,
    List<String> better,
    List<RunReport.Table> figures,
    List<Chart> curves,
    List<String> apart,
    RunReport.Table options,
    RunReport.Table data,
    Map<String, List<String>> doctor,
    RunReport.Table costs,
    List<String> changed,
    List<RunReport.Suspect> pairs,
    String madeBy) {

  public RunComparison {
    better = List.copyOf(better);
    figures = List.copyOf(figures);
    apart = List.copyOf(apart);
    doctor = new LinkedHashMap<>(doctor);
    changed = List.copyOf(changed);
    pairs = List.copyOf(pairs);
  }
}
