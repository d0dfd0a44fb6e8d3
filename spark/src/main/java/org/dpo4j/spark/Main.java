package org.dpo4j.spark;

import java.io.PrintStream;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;
import org.dpo4j.DpoException;
import org.dpo4j.OptionText;
import org.dpo4j.UsageException;
import org.dpo4j.config.EvalConfig;
import org.dpo4j.config.ScoreConfig;
import org.dpo4j.config.TrainingConfig;
import org.dpo4j.config.TrainingOptions;
import org.dpo4j.options.GivenValue;
import org.dpo4j.options.OptionType;
import org.dpo4j.report.Progress;
import org.dpo4j.report.RunOutput;
import org.jspecify.annotations.Nullable;

/**
 * What {@code spark-submit} starts: {@code score}, {@code eval}, {@code reference} and {@code
 * train}, with the options of the command line. Exit codes: 0 done, 1 the job failed, 2 the options
 * are wrong.
 */
public final class Main {

  private static final String DATA_FILE = "data_file";
  private static final String EVAL_FILE = "eval_file";
  private static final String OUTPUT = "output";

  /** An item of {@code eval_file} with the name of its set. */
  private static final Pattern NAMED = Pattern.compile("([A-Za-z0-9_-]+)=(.+)");

  /**
   * Of the failure of a barrier task, Spark gives the text alone: the type, the message, frames.
   */
  private static final Pattern FAILED_TASK =
      Pattern.compile(
          "org\\.dpo4j\\.(?:\\w+\\.)*(\\w+)Exception: (.+?)(?=\\R\\tat |\\R*\\z)", Pattern.DOTALL);

  private final SparkSession spark;
  private final RunOutput output;

  private Main(SparkSession spark, RunOutput output) {
    this.spark = spark;
    this.output = output;
  }

  /**
   * Runs a command in the session of {@code spark-submit} and ends the process.
   *
   * @param args the command, then its options
   */
  public static void main(String[] args) {
    Locale.setDefault(Locale.ROOT);
    SparkSession spark = SparkSession.builder().appName("dpo4j").getOrCreate();
    int code = run(spark, System.out, System.err, args);
    spark.sparkContext().stop(code);
    if (code != 0) { // On YARN, a main method that ends the process has failed.
      System.exit(code);
    }
  }

  /** Runs a command line and gives its exit code; every failure has been printed. */
  static int run(SparkSession spark, PrintStream out, PrintStream err, String... args) {
    RunOutput output = new RunOutput(out, err, Progress.NONE, OptionText::flags);
    try {
      new Main(spark, output).run(Arrays.asList(args));
      return 0;
    } catch (Throwable failure) {
      DpoException known = known(failure);
      ("error: " + output.styled(known != null ? known.text() : unknown(spark, failure)))
          .lines()
          .forEach(output.err()::println);
      return known instanceof UsageException ? 2 : 1;
    }
  }

  private static String unknown(SparkSession spark, Throwable failure) {
    return spark.sparkContext().isStopped()
        ? OptionText.of(
            "Spark was stopped before the job had ended; train continues with {resume_from_checkpoint} true")
        : "internal error: %s: %s"
            .formatted(failure.getClass().getSimpleName(), failure.getMessage());
  }

  /** The failure that a person can act on: that of a task is a cause of the job's. */
  private static @Nullable DpoException known(Throwable failure) {
    for (Throwable cause = failure; cause != null; cause = cause.getCause()) {
      if (cause instanceof DpoException found) {
        return found;
      }
    }
    Matcher task = FAILED_TASK.matcher(String.valueOf(failure.getMessage()));
    if (!task.find()) {
      return null;
    }
    String text = task.group(2);
    return task.group(1).equals("Usage") ? new UsageException(text) : new DpoException(text);
  }

  private void run(List<String> words) {
    String command = words.isEmpty() ? "" : words.get(0);
    List<String> options = words.isEmpty() ? List.of() : words.subList(1, words.size());
    if (options.contains("--help")) {
      output
          .out()
          .println(
              "%s takes the options of \"./dpo4j %s\"; \"./dpo4j %s --help\" lists them"
                  .formatted(command, command, command));
      return;
    }
    switch (command) {
      case "score" -> score(options);
      case "eval" -> eval(options);
      case "reference" -> reference(options);
      case "train" -> train(options);
      default ->
          throw new UsageException(
              "the first word must be score, eval, reference or train but was \"%s\""
                  .formatted(command));
    }
  }

  private void score(List<String> words) {
    Map<String, GivenValue> given = Arguments.of(words, ScoreConfig.OPTIONS).all();
    ScoreConfig.OPTIONS.read(given); // says what is missing, all at once
    Map<String, Object> options = new LinkedHashMap<>();
    given.forEach((name, value) -> options.put(name, value.text()));
    options.keySet().removeAll(List.of(DATA_FILE, OUTPUT));
    List<String> data = paths(given.get(DATA_FILE));
    String target = String.join(",", paths(given.get(OUTPUT)));
    DataFiles.requireNew(spark, OUTPUT, target);
    Dataset<Row> rows = DataFiles.read(spark, DATA_FILE, data);
    DataFiles.write(SparkScoring.score(rows, options), target);
    report(DataFiles.read(spark, OUTPUT, List.of(target)));
    output.out().println("written to " + target);
  }

  private void eval(List<String> words) {
    Map<String, GivenValue> given = Arguments.of(words, EvalConfig.OPTIONS).all();
    EvalConfig config = EvalConfig.OPTIONS.read(given);
    Dataset<Row> rows = DataFiles.read(spark, DATA_FILE, paths(given.get(DATA_FILE)));
    SparkEvaluation.run(rows, config, output);
  }

  /** Counts the rows by their fate. */
  private void report(Dataset<Row> written) {
    if (!Arrays.asList(written.columns()).contains("status")) {
      return; // no row
    }
    for (Row row :
        written.groupBy("status", "reason").count().orderBy("status", "reason").collectAsList()) {
      String reason = row.isNullAt(1) ? "" : row.getString(1);
      output
          .out()
          .println(
              "%d %s%s"
                  .formatted(
                      row.getLong(2), row.getString(0), reason.isEmpty() ? "" : ": " + reason));
    }
  }

  private void reference(List<String> words) {
    Arguments given = Arguments.of(words, TrainingConfig.OPTIONS);
    TrainingOptions options = TrainingOptions.resolve(given.file(), given.flags());
    TrainingConfig config = options.config();
    options.report(output);
    Map<String, GivenValue> all = given.all();
    List<List<String>> sets = new ArrayList<>();
    sets.add(paths(all.get(DATA_FILE)));
    if (config.data().evalFile().isPresent()) {
      sets.addAll(evaluationSets(paths(all.get(EVAL_FILE))));
    }
    for (int i = 0; i < sets.size(); i++) {
      Dataset<Row> rows = DataFiles.read(spark, i == 0 ? DATA_FILE : EVAL_FILE, sets.get(i));
      output
          .out()
          .println(
              "reference cache: %s pairs in %s"
                  .formatted(
                      i == 0 ? "training" : "held-out",
                      SparkReference.compute(rows, config, i > 0)));
    }
  }

  /** Trains on files that every executor sees; {@code --ranks} comes before the other options. */
  private void train(List<String> words) {
    if (words.size() < 2 || !words.get(0).equals("--ranks")) {
      throw new UsageException(
          "ranks",
          "must come first and say how many executors train",
          words.isEmpty() ? "no option was given" : "the first option was " + words.get(0),
          "as in train --ranks 4 --config run.yaml");
    }
    Arguments given = Arguments.of(words.subList(2, words.size()), TrainingConfig.OPTIONS);
    TrainingOptions options = TrainingOptions.resolve(given.file(), given.flags());
    options.report(output);
    TunedModel tuned =
        SparkTuning.train(
            spark, number(words.get(1)), TrainingConfig.OPTIONS.write(options.config()));
    output
        .out()
        .println(
            "%d of %d steps, written to %s"
                .formatted(tuned.steps(), tuned.maxSteps(), tuned.folder()));
  }

  private static int number(String text) {
    try {
      return Integer.parseInt(text);
    } catch (NumberFormatException e) {
      throw new UsageException("ranks", "must be a number", "was \"%s\"".formatted(text), "");
    }
  }

  /** The paths of each set, in the order of their first items. */
  private static Collection<List<String>> evaluationSets(List<String> items) {
    Map<String, List<String>> sets = new LinkedHashMap<>();
    for (String item : items) {
      Matcher named = NAMED.matcher(item);
      String name = named.matches() ? named.group(1) : "";
      sets.computeIfAbsent(name, none -> new ArrayList<>())
          .add(named.matches() ? named.group(2) : item);
    }
    return sets.values();
  }

  /** The paths as they were written: those of other file systems are no paths of this one. */
  private static List<String> paths(@Nullable GivenValue value) {
    return value == null ? List.of() : OptionType.items(value.text()).toList();
  }
}
