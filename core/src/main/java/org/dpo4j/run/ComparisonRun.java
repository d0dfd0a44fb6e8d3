package org.dpo4j.run;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import java.util.function.Function;
import java.util.function.ToDoubleFunction;
import org.dpo4j.Dpo4j;
import org.dpo4j.DpoException;
import org.dpo4j.EvaluationReport;
import org.dpo4j.ExampleKind;
import org.dpo4j.OptionText;
import org.dpo4j.StepReport;
import org.dpo4j.TrainingMetrics;
import org.dpo4j.config.DataInputs;
import org.dpo4j.config.ReferenceChoice;
import org.dpo4j.config.ReportConfig;
import org.dpo4j.config.TrainingConfig;
import org.dpo4j.data.BoundedJson;
import org.dpo4j.data.FileFailure;
import org.dpo4j.data.JsonFault;
import org.dpo4j.data.Sha256;
import org.dpo4j.evaluate.Evaluation;
import org.dpo4j.evaluate.PairHistory;
import org.dpo4j.evaluate.Proportion;
import org.dpo4j.evaluate.Suspicion.Suspect;
import org.dpo4j.options.BoundedFile;
import org.dpo4j.options.Limit;
import org.dpo4j.options.MemorySize;
import org.dpo4j.report.ComparisonPlot;
import org.dpo4j.report.HtmlReport;
import org.dpo4j.report.Ledger;
import org.dpo4j.report.RunComparison;
import org.dpo4j.report.RunOutput;
import org.dpo4j.report.RunReport;
import org.dpo4j.report.ShortNumber;
import org.dpo4j.report.TimeText;
import org.jspecify.annotations.Nullable;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;

/** Puts finished runs beside each other on one page; each is compared with the first. */
final class ComparisonRun {

  private static final int SHOWN_DIGITS = 12;
  private static final String NOT_SET = "not set";
  private static final String UNKNOWN = "not recorded";

  /** Those that say where and how a run was written, and nothing of what it is. */
  private static final Set<String> NOT_COMPARED =
      Set.of("output_dir", "overwrite_output_dir", "resume_from_checkpoint", "reference_cache");

  /**
   * One of the runs.
   *
   * @param name its folder's name, or the path where two have the same name
   * @param path as the user wrote it
   * @param run what its files tell
   * @param options of the run by name, as text; empty for other programs
   * @param ledger if it has one
   */
  private record Compared(
      String name,
      Path path,
      FinishedRun run,
      Map<String, String> options,
      Optional<Ledger> ledger) {

    /** A run is itself alone; its ledger may be long. */
    @Override
    public boolean equals(@Nullable Object other) {
      return this == other;
    }

    @Override
    public int hashCode() {
      return path.hashCode();
    }
  }

  private final ReportConfig config;
  private final RunOutput output;
  private final List<Compared> runs;
  private final List<JsonNode> evaluations;

  private ComparisonRun(
      ReportConfig config, RunOutput output, List<Compared> runs, List<JsonNode> evaluations) {
    this.config = config;
    this.output = output;
    this.runs = runs;
    this.evaluations = evaluations;
  }

  /**
   * Reads the files of the runs.
   *
   * @return the page
   * @throws DpoException if a file is damaged
   */
  static String page(ReportConfig config, RunOutput output) throws IOException {
    List<String> names = names(config.run());
    List<Compared> runs = new ArrayList<>();
    for (int i = 0; i < names.size(); i++) {
      Path path = config.run().get(i);
      FinishedRun run = FinishedRun.read(ReportConfig.state(path), Optional.empty(), output);
      Path ledger = run.folder().resolve("ledger.jsonl");
      runs.add(
          new Compared(
              names.get(i),
              path,
              run,
              run.options().map(ReportRun::allOptions).orElse(Map.of()),
              Files.isRegularFile(ledger) ? Optional.of(Ledger.read(ledger)) : Optional.empty()));
    }
    List<JsonNode> evaluations =
        config.run().stream()
            .map(config::evaluation)
            .distinct()
            .filter(Files::isRegularFile)
            .map(EvaluationFile::read)
            .toList();
    return HtmlReport.of(new ComparisonRun(config, output, runs, evaluations).comparison());
  }

  /** The names of the folders, or the paths where two folders have one name. */
  private static List<String> names(List<Path> paths) {
    List<String> names = paths.stream().map(Paths::name).toList();
    return Set.copyOf(names).size() == names.size()
        ? names
        : paths.stream().map(Path::toString).toList();
  }

  private RunComparison comparison() throws IOException {
    Map<Compared, Map<String, SharedPairs>> shared = shared();
    List<RunReport.Suspect> shown = new ArrayList<>();
    List<String> changed = changed(shared, shown);
    List<String> names = runs.stream().map(Compared::name).toList();
    return new RunComparison(
        String.join(", ", names.subList(0, names.size() - 1))
            + " and "
            + names.get(names.size() - 1),
        "%d runs side by side; each is compared with the first one, %s"
            .formatted(names.size(), names.get(0)),
        better(shared),
        figures(),
        ComparisonPlot.heldOut(
            names, runs.stream().map(compared -> compared.run.history()).toList()),
        apart(),
        options(),
        data(),
        doctor(),
        costs(),
        changed,
        shown,
        "Made by dpo4j %s from the files of the runs.".formatted(Dpo4j.version()));
  }

  /** The held-out sets of all runs; the name of a single one is empty. */
  private Set<String> sets() {
    Set<String> sets = new LinkedHashSet<>();
    runs.forEach(compared -> sets.addAll(compared.run.history().datasets()));
    return sets;
  }

  private static String of(String set) {
    return set.isEmpty() ? "" : " of " + set;
  }

  /** The pairs that each further run shares with the first, by set; none of runs without ledger. */
  private Map<Compared, Map<String, SharedPairs>> shared() {
    Map<Compared, Map<String, SharedPairs>> shared = new LinkedHashMap<>();
    Optional<Ledger> first = runs.get(0).ledger;
    for (Compared other : runs.subList(1, runs.size())) {
      Map<String, SharedPairs> bySet = new LinkedHashMap<>();
      if (first.isPresent() && other.ledger.isPresent()) {
        for (String set : sets()) {
          SharedPairs pairs =
              SharedPairs.of(first.get(), other.ledger.get(), set.isEmpty() ? "eval" : set);
          if (!pairs.pairs().isEmpty()) {
            bySet.put(set, pairs);
          }
        }
      }
      shared.put(other, bySet);
    }
    return shared;
  }

  /** Sentences about chance: between the runs, and of each run. */
  private List<String> better(Map<Compared, Map<String, SharedPairs>> shared) {
    List<String> lines = new ArrayList<>();
    Compared first = runs.get(0);
    shared.forEach(
        (other, bySet) -> {
          List<String> evaluated = evaluated(first, other);
          lines.addAll(evaluated);
          if (evaluated.isEmpty()) {
            bySet.forEach((set, pairs) -> lines.add(difference(first, other, set, pairs)));
          }
          if (evaluated.isEmpty() && bySet.isEmpty()) {
            lines.add(
                "Whether %s and %s differ is not known: they have no evaluation of the same held-out pairs in their ledgers. Measure both with eval, and give report its file."
                    .formatted(first.name, other.name));
          }
        });
    long real =
        shared.values().stream()
            .flatMap(bySet -> bySet.values().stream())
            .filter(pairs -> pairs.test().real())
            .count();
    if (runs.size() > 2 && real > 0) {
      lines.add("Of twenty such comparisons, about one looks real by chance alone.");
    }
    boolean all = shared.values().stream().noneMatch(Map::isEmpty);
    if (all && real == 0) {
      lines.add(0, "No run is shown to be better than %s.".formatted(first.name));
    }
    Map<String, List<String>> names = new LinkedHashMap<>();
    for (Compared compared : runs) {
      ReportRun.chance(compared.run.history())
          .forEach(
              sentence ->
                  names.computeIfAbsent(sentence, key -> new ArrayList<>()).add(compared.name));
    }
    names.forEach(
        (sentence, of) ->
            lines.add(
                "%s %s: %s"
                    .formatted(of.size() == 1 ? "Run" : "Runs", String.join(", ", of), sentence)));
    lines.addAll(cautions());
    return lines;
  }

  /** What eval found, which has scored both models on the same pairs. */
  private List<String> evaluated(Compared first, Compared other) {
    List<String> found = new ArrayList<>();
    for (JsonNode json : evaluations) {
      for (JsonNode difference : json.path("differences")) {
        boolean both =
            (is(difference.path("model"), other) && is(difference.path("from"), first))
                || (is(difference.path("model"), first) && is(difference.path("from"), other));
        String sentence =
            "On the pairs of eval in %s: %s"
                .formatted(
                    json.path("data").asString(""), difference.path("sentences").asString(""));
        if (both && !found.contains(sentence)) {
          found.add(sentence);
        }
      }
    }
    return found;
  }

  private static boolean is(JsonNode model, Compared compared) {
    return Paths.names(model.asString(""), compared.path);
  }

  private static String difference(Compared first, Compared other, String set, SharedPairs pairs) {
    return "On the held-out pairs%s that both have, at their last evaluations (steps %,d and %,d): %s"
        .formatted(
            of(set),
            pairs.firstStep(),
            pairs.otherStep(),
            new Evaluation.Difference(other.name, first.name, true, pairs.test()).sentences());
  }

  /** Where figures have the same name and not the same meaning. */
  private List<String> cautions() {
    List<String> lines = new ArrayList<>();
    if (differs(ComparisonRun::reference)) {
      lines.add(
          "The runs have different references, so their rewards start from different points: compare the models by log-probability, with eval.");
    }
    if (differs(options -> options.loss().beta())) {
      lines.add(
          "The runs have different beta, which scales reward margins and many losses: compare accuracies, and margins divided by beta.");
    }
    if (differs(options -> List.of(options.loss().lossType(), options.loss().examples()))) {
      lines.add("The runs minimize different losses, whose values cannot be compared.");
    }
    return lines;
  }

  private static Object reference(TrainingConfig options) {
    return options.loss().referenceChoice() == ReferenceChoice.NONE
        ? "none"
        : List.of(
            options.loss().refModel().orElse(options.model().model()),
            options.loss().referenceChoice(),
            options.model().adapter());
  }

  private boolean differs(Function<TrainingConfig, Object> property) {
    return runs.stream()
            .flatMap(compared -> compared.run.options().stream())
            .map(property)
            .distinct()
            .count()
        > 1;
  }

  private List<String> header() {
    List<String> header = new ArrayList<>(List.of(""));
    runs.forEach(compared -> header.add(compared.name));
    return header;
  }

  /** Adds a row, if a run has a value in it. */
  private void row(List<List<String>> rows, String name, Function<Compared, String> value) {
    List<String> row = new ArrayList<>(List.of(name));
    runs.forEach(compared -> row.add(value.apply(compared)));
    if (row.subList(1, row.size()).stream().anyMatch(cell -> !cell.isEmpty())) {
      rows.add(row);
    }
  }

  private List<RunReport.Table> figures() {
    List<RunReport.Table> tables = new ArrayList<>();
    for (String set : sets()) {
      List<List<String>> rows = new ArrayList<>();
      row(rows, "last evaluation, at step", last(set, report -> "%,d".formatted(report.step())));
      row(rows, "examples", last(set, ComparisonRun::examples));
      row(rows, "loss", last(set, report -> ShortNumber.of(report.metrics().loss())));
      row(
          rows,
          "lowest loss",
          best(
              set,
              report -> -report.metrics().loss(),
              report -> ShortNumber.of(report.metrics().loss())));
      row(rows, "accuracy by reward margin, 95 % interval", last(set, ComparisonRun::accuracy));
      row(
          rows,
          "highest accuracy",
          best(
              set,
              report -> share(report) ? report.metrics().rewardsAccuracies() : Double.NaN,
              report -> ReportRun.percent(report.metrics().rewardsAccuracies())));
      row(rows, "reward margin", last(set, ofPairs(TrainingMetrics::rewardsMargins)));
      if (differs(options -> options.loss().beta())) {
        row(rows, "reward margin / beta, nats", compared -> overBeta(compared, set));
      }
      row(
          rows,
          "log-probability of a chosen answer, nats",
          last(set, ofPairs(TrainingMetrics::logpsChosen)));
      row(
          rows,
          "log-probability of a rejected answer, nats",
          last(set, ofPairs(TrainingMetrics::logpsRejected)));
      row(
          rows,
          "entropy of the next token, nats",
          last(set, report -> ShortNumber.of(report.metrics().entropy())));
      tables.add(
          new RunReport.Table(
              "Held-out %ss%s at the last evaluation of each run"
                  .formatted(runs.get(0).run.history().kind().noun(), of(set)),
              header(),
              rows));
    }
    tables.addAll(evaluationTables());
    return tables;
  }

  private static String overBeta(Compared compared, String set) {
    return compared
        .run
        .options()
        .map(
            options ->
                last(set, ofPairs(metrics -> metrics.rewardsMargins() / options.loss().beta()))
                    .apply(compared))
        .orElse("");
  }

  private static Function<Compared, String> last(
      String set, Function<EvaluationReport, String> text) {
    return compared -> {
      List<EvaluationReport> all = compared.run.history().evaluations(set);
      return all.isEmpty() ? "" : text.apply(all.get(all.size() - 1));
    };
  }

  /** The largest value after the start, with its step. */
  private static Function<Compared, String> best(
      String set,
      ToDoubleFunction<EvaluationReport> value,
      Function<EvaluationReport, String> text) {
    return compared ->
        compared.run.history().evaluations(set).stream()
            .filter(report -> report.step() > 0 && Double.isFinite(value.applyAsDouble(report)))
            .reduce((a, b) -> value.applyAsDouble(b) > value.applyAsDouble(a) ? b : a)
            .map(report -> "%s at step %,d".formatted(text.apply(report), report.step()))
            .orElse("");
  }

  /** Evaluations of other programs do not count them. */
  private static String examples(EvaluationReport report) {
    return report.examples() == 0 ? "" : "%,d".formatted(report.examples());
  }

  private static boolean share(EvaluationReport report) {
    return report.metrics().kind() == ExampleKind.PAIRS && !report.metrics().tied();
  }

  private static String accuracy(EvaluationReport report) {
    if (!share(report)) {
      return "";
    }
    double accuracy = report.metrics().rewardsAccuracies();
    if (report.examples() == 0) {
      return ReportRun.percent(accuracy);
    }
    Proportion pairs =
        new Proportion((int) Math.rint(accuracy * report.examples()), report.examples());
    return String.format(
        Locale.ROOT,
        "%s (%.1f to %.1f)",
        ReportRun.percent(accuracy),
        100 * pairs.low(),
        100 * pairs.high());
  }

  private static Function<EvaluationReport, String> ofPairs(
      ToDoubleFunction<TrainingMetrics> value) {
    return report ->
        report.metrics().kind() == ExampleKind.DEMONSTRATIONS
            ? ""
            : ShortNumber.of(value.applyAsDouble(report.metrics()));
  }

  /** A table for each set of pairs that eval has measured runs on. */
  private List<RunReport.Table> evaluationTables() {
    Map<String, ObjectNode> byData = new LinkedHashMap<>();
    for (Compared compared : runs) {
      for (JsonNode json : evaluations) {
        for (JsonNode model : json.path("models")) {
          if (is(model.path("model"), compared)) {
            String data = json.path("data").asString("");
            ObjectNode table =
                byData.computeIfAbsent(
                    data + " " + model.path("pairs").asInt(),
                    key -> {
                      ObjectNode made = JsonNodeFactory.instance.objectNode().put("data", data);
                      made.putArray("models");
                      return made;
                    });
            ObjectNode named = (ObjectNode) model.deepCopy();
            ((ArrayNode) table.path("models")).add(named.put("model", compared.name));
          }
        }
      }
    }
    return byData.values().stream().map(ReportRun::table).toList();
  }

  private List<String> apart() {
    List<String> lines = new ArrayList<>();
    for (Compared compared : runs) {
      if (compared.options.isEmpty()) {
        lines.add("The options of %s are not recorded in its files.".formatted(compared.name));
      }
    }
    int options = options().rows().size();
    if (lines.isEmpty() && options == 0) {
      lines.add("No option differs but those that name the output.");
    } else if (options > 1) {
      lines.add("Several options differ, so that no difference can be put down to one of them.");
    }
    List<List<String>> data =
        runs.stream()
            .map(compared -> hashes(compared).values().stream().sorted().toList())
            .toList();
    if (data.stream().noneMatch(List::isEmpty)) {
      lines.add(
          Set.copyOf(data).size() == 1
              ? "All runs read the same data."
              : "Not all runs read the same data; the table below shows which.");
    }
    return lines;
  }

  /** The options that are not the same in all runs. */
  private RunReport.Table options() {
    Set<String> names = new LinkedHashSet<>();
    runs.forEach(compared -> names.addAll(compared.options.keySet()));
    names.removeAll(NOT_COMPARED);
    List<List<String>> rows = new ArrayList<>();
    for (String name : names) {
      List<String> values =
          runs.stream()
              .map(
                  compared ->
                      compared.options.isEmpty()
                          ? UNKNOWN
                          : compared.options.getOrDefault(name, NOT_SET))
              .toList();
      if (values.stream().filter(value -> !value.equals(UNKNOWN)).distinct().count() > 1) {
        row(rows, name, compared -> values.get(runs.indexOf(compared)));
      }
    }
    return new RunReport.Table("Options that differ", header(), rows);
  }

  /** The files by name; a run's ledger has the hashes of those that it read. */
  private RunReport.Table data() {
    List<Map<String, String>> hashes = runs.stream().map(ComparisonRun::hashes).toList();
    Set<String> files = new LinkedHashSet<>();
    hashes.forEach(known -> files.addAll(known.keySet()));
    List<List<String>> rows = new ArrayList<>();
    for (String file : files) {
      row(
          rows,
          file,
          compared -> hashes.get(runs.indexOf(compared)).getOrDefault(file, "not used"));
    }
    return new RunReport.Table("Data files, with the beginning of their SHA-256", header(), rows);
  }

  private static Map<String, String> hashes(Compared compared) {
    Map<String, String> hashes = new LinkedHashMap<>();
    compared.ledger.ifPresent(
        ledger ->
            ledger
                .files()
                .forEach(
                    (file, hash) ->
                        hashes.put(file, hash.isEmpty() ? "changed in the run" : brief(hash))));
    if (hashes.isEmpty()) {
      compared.run.options().ifPresent(options -> now(options, hashes));
    }
    return hashes;
  }

  /** Of runs without a ledger. */
  private static void now(TrainingConfig options, Map<String, String> hashes) {
    try {
      List<Path> files = new ArrayList<>(DataInputs.files(options.data().training()));
      options.data().heldOut().forEach(set -> files.addAll(DataInputs.files(set.input())));
      for (Path file : files) {
        hashes.put(file.toString(), brief(Sha256.of(file)) + " (now)");
      }
    } catch (DpoException | IOException e) {
      options.data().dataFile().forEach(file -> hashes.put(file.toString(), "not there any more"));
    }
  }

  private static String brief(String hash) {
    return hash.substring(0, Math.min(SHOWN_DIGITS, hash.length()));
  }

  private Map<String, List<String>> doctor() {
    Map<String, List<String>> words = new LinkedHashMap<>();
    for (Compared compared : runs) {
      List<String> lines = new ArrayList<>(compared.run.conclusion().summary());
      List<String> symptoms = compared.run.conclusion().warnings();
      symptoms.forEach(symptom -> lines.add(OptionText.plain(symptom)));
      if (symptoms.isEmpty()) {
        lines.add("no warning from its curves");
      }
      compared
          .ledger
          .map(ledger -> LedgerSummary.of(ledger, ReportRun.THRESHOLD).suspects().size())
          .filter(suspects -> suspects > 0)
          .ifPresent(
              suspects ->
                  lines.add(
                      "%s may be mislabelled: its own report shows them"
                          .formatted(ShortNumber.count(suspects, "pair"))));
      words.put(compared.name, lines);
    }
    return words;
  }

  private RunReport.Table costs() {
    Map<Compared, JsonNode> results = new LinkedHashMap<>();
    runs.forEach(compared -> results.put(compared, results(compared)));
    List<List<String>> rows = new ArrayList<>();
    row(
        rows,
        "steps",
        compared ->
            compared
                .run
                .history()
                .lastStep()
                .map(StepReport::step)
                .map("%,d"::formatted)
                .orElse(""));
    cost(rows, results, "total time", "train_runtime", TimeText::of);
    cost(rows, results, "reference pass", "reference_runtime", TimeText::of);
    cost(rows, results, "evaluations", "eval_runtime", TimeText::of);
    cost(rows, results, "examples per second", "train_samples_per_second", ShortNumber::of);
    cost(
        rows,
        results,
        "peak memory",
        "peak_memory_bytes",
        bytes -> MemorySize.text((long) bytes.doubleValue()));
    cost(rows, results, "skipped steps", "skipped_steps", ShortNumber::of);
    return new RunReport.Table(
        "As each run measured it; comparable only on the same machine under the same load",
        header(),
        rows);
  }

  private void cost(
      List<List<String>> rows,
      Map<Compared, JsonNode> results,
      String name,
      String field,
      Function<Double, String> text) {
    row(
        rows,
        name,
        compared -> {
          JsonNode value = Objects.requireNonNull(results.get(compared)).path(field);
          return value.isNumber() ? text.apply(value.asDouble()) : "";
        });
  }

  /** The totals of a run; empty for one that has not ended. */
  private static JsonNode results(Compared compared) {
    Path file = compared.run.folder().resolve("all_results.json");
    if (!Files.isRegularFile(file)) {
      return JsonNodeFactory.instance.objectNode();
    }
    try {
      return BoundedJson.LENIENT.readTree(BoundedFile.bytes(file, Limit.CONFIG_BYTES));
    } catch (IOException e) {
      throw new DpoException(
          "[%s] cannot be read: %s".formatted(file, FileFailure.reason(e, file)), e);
    } catch (JacksonException e) {
      throw new DpoException("[%s] is not valid JSON: %s".formatted(file, JsonFault.words(e)), e);
    }
  }

  /**
   * Sentences about the held-out pairs that one run alone is right on.
   *
   * @param shown receives the pairs to show
   */
  private List<String> changed(
      Map<Compared, Map<String, SharedPairs>> shared, List<RunReport.Suspect> shown) {
    List<String> lines = new ArrayList<>();
    Compared first = runs.get(0);
    shared.forEach(
        (other, bySet) ->
            bySet.forEach(
                (set, pairs) -> {
                  List<SharedPairs.Both> changed = pairs.changed();
                  lines.add(
                      "Of %s%s, %s alone is right on %,d, and %s alone on %,d."
                          .formatted(
                              ShortNumber.count(pairs.pairs().size(), "shared held-out pair"),
                              of(set),
                              first.name,
                              pairs.test().lost(),
                              other.name,
                              pairs.test().gained()));
                  show(first, other, changed, shown);
                }));
    if (lines.isEmpty()) {
      lines.add("Nothing is known of single pairs: the runs share no held-out pairs.");
    } else if (!shown.isEmpty()) {
      lines.add("Below, the pairs whose margins are furthest apart come first.");
    }
    return lines;
  }

  private void show(
      Compared first,
      Compared other,
      List<SharedPairs.Both> changed,
      List<RunReport.Suspect> shown) {
    List<SharedPairs.Both> some =
        changed.stream().limit(Math.max(0, config.rows() - shown.size())).toList();
    List<Suspect> asked = some.stream().map(pair -> new Suspect(pair.first(), 0)).toList();
    LedgerSummary.Texts texts =
        LedgerSummary.of(first.ledger.orElseThrow(), 1).texts(asked, first.run.options());
    texts.remarks().forEach(output::warn);
    for (SharedPairs.Both pair : some) {
      shown.add(
          ReportRun.shown(
              pair.first().pair().toString(),
              "margin %s under %s, %s under %s"
                  .formatted(margin(pair.first()), first.name, margin(pair.other()), other.name),
              texts.of().get(pair.first().pair())));
    }
  }

  private static String margin(PairHistory pair) {
    return ShortNumber.fixed("%+.2f", pair.last().margin());
  }
}
