package org.dpo4j.report;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * What a report of a run says, in the order of the questions that it answers.
 *
 * @param title of the page
 * @param subtitle below it
 * @param worked whether the run did what it was meant to, in sentences
 * @param figures held-out figures at the first and the last evaluation
 * @param real whether the gain is more than chance, in sentences
 * @param evaluation tables of {@code eval}
 * @param worse what got worse, in sentences; never empty
 * @param pairs what became of the pairs, in sentences
 * @param suspects pairs that may be mislabelled
 * @param command that repeats the run; "" if its options are not known
 * @param repeat what else it takes, in sentences
 * @param inputs the files of the run with their hashes
 * @param changed options that differ from their defaults
 * @param options all options
 * @param curves one chart for each metric; empty without steps
 * @param curvesNote about all of them; may be empty
 * @param answers to sample prompts; may be empty
 * @param madeBy the program that made the report
 */
public record RunReport(
    String title,
    String subtitle,
    List<String> worked,
    Table figures,
    List<String> real,
    List<Table> evaluation,
    List<String> worse,
    List<String> pairs,
    List<Suspect> suspects,
    String command,
    List<String> repeat,
    Map<String, String> inputs,
    Map<String, String> changed,
    Map<String, String> options,
    List<Chart> curves,
    String curvesNote,
    List<PromptAnswers> answers,
    String madeBy) {

  /**
   * A table.
   *
   * @param caption above it
   * @param header one cell for each column
   * @param rows as many cells each; the first is a name
   */
  public record Table(String caption, List<String> header, List<List<String>> rows) {}

  /**
   * A pair that may be mislabelled.
   *
   * @param place file and row
   * @param margins at its visits, as text
   * @param prompt excerpt; "" if the file is gone
   * @param chosen excerpt
   * @param rejected excerpt
   */
  public record Suspect(
      String place, String margins, String prompt, String chosen, String rejected) {}

  public RunReport {
    worked = List.copyOf(worked);
    real = List.copyOf(real);
    evaluation = List.copyOf(evaluation);
    worse = List.copyOf(worse);
    pairs = List.copyOf(pairs);
    suspects = List.copyOf(suspects);
    repeat = List.copyOf(repeat);
    inputs = new LinkedHashMap<>(inputs);
    changed = new LinkedHashMap<>(changed);
    options = new LinkedHashMap<>(options);
    curves = List.copyOf(curves);
    answers = List.copyOf(answers);
  }
}
