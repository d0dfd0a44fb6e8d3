package org.dpo4j.run;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.function.Consumer;
import java.util.function.Function;
import org.dpo4j.Dpo4j;
import org.dpo4j.DpoException;
import org.dpo4j.EvaluationReport;
import org.dpo4j.ExampleKind;
import org.dpo4j.OptionText;
import org.dpo4j.StepReport;
import org.dpo4j.TrainingMetrics;
import org.dpo4j.UsageException;
import org.dpo4j.config.DataInputs;
import org.dpo4j.config.ReportConfig;
import org.dpo4j.config.TrainingConfig;
import org.dpo4j.data.FileFailure;
import org.dpo4j.data.PairTexts;
import org.dpo4j.data.PendingFile;
import org.dpo4j.data.RowOrigin;
import org.dpo4j.data.Sha256;
import org.dpo4j.evaluate.Proportion;
import org.dpo4j.evaluate.Suspicion.Suspect;
import org.dpo4j.options.OptionType;
import org.dpo4j.report.CurvesPlot;
import org.dpo4j.report.EvaluationText;
import org.dpo4j.report.HtmlReport;
import org.dpo4j.report.Ledger;
import org.dpo4j.report.PromptAnswers;
import org.dpo4j.report.RunHistory;
import org.dpo4j.report.RunOutput;
import org.dpo4j.report.RunReport;
import org.dpo4j.report.SampleFile;
import org.dpo4j.report.ShortNumber;
import org.dpo4j.serve.PageServer;
import org.dpo4j.serve.PageServer.Page;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;

/**
 * Writes one page that explains a finished run, or compares several, for somebody who has not seen
 * it.
 */
public final class ReportRun {

  private static final int EXCERPT = 400;

  /** Sigmas below the median from which on a pair is shown. */
  static final double THRESHOLD = 1.5;

  /** Changes below this many nats, or this share, are none. */
  private static final double VISIBLE = 0.1;

  private final ReportConfig config;
  private final RunOutput output;
  private final FinishedRun run;
  private final Optional<JsonNode> evaluation;

  private ReportRun(
      ReportConfig config, RunOutput output, FinishedRun run, Optional<JsonNode> evaluation) {
    this.config = config;
    this.output = output;
    this.run = run;
    this.evaluation = evaluation;
  }

  /**
   * Reads the files of the run, and writes the page or shows it until the process is stopped.
   *
   * @throws DpoException if a file is damaged, or the page cannot be written
   */
  public static void run(ReportConfig config, RunOutput output) {
    run(config, output, PageServer::await);
  }

  /**
   * As above, until {@code use} returns.
   *
   * @param use gets the server once it listens
   */
  static void run(ReportConfig config, RunOutput output, Consumer<PageServer> use) {
    config.checkInputs();
    if (config.serve().isOpen()) {
      Optional<Page> page = Optional.of(new Page(html(config, output), HtmlReport.POLICY));
      try (PageServer server =
          PageServer.start(
              "serve",
              config.serve().number(),
              path -> page.filter(only -> path.equals("/")),
              output::warn)) {
        output.out().println("the report is at %s; Ctrl-C stops".formatted(server.url()));
        output.out().flush();
        use.accept(server);
      }
    } else {
      write(config, output);
    }
  }

  private static void write(ReportConfig config, RunOutput output) {
    Path page = config.page();
    if (Files.isDirectory(page)) {
      throw new UsageException(
          "output", "must be a file", "%s is a folder".formatted(page), "name a file");
    }
    byte[] html = html(config, output).getBytes(StandardCharsets.UTF_8);
    try {
      PendingFile.write(page.toAbsolutePath(), html);
    } catch (IOException e) {
      throw new DpoException(
          "[%s] cannot be written: %s".formatted(page, FileFailure.reason(e, page)), e);
    }
    output.out().println("written to " + page);
  }

  private static String html(ReportConfig config, RunOutput output) {
    try {
      return config.compares() ? ComparisonRun.page(config, output) : page(config, output);
    } catch (IOException e) {
      throw new DpoException("the version of dpo4j cannot be read: " + e.getMessage(), e);
    }
  }

  private static String page(ReportConfig config, RunOutput output) throws IOException {
    Path folder = config.first();
    FinishedRun run = FinishedRun.read(ReportConfig.state(folder), Optional.empty(), output);
    Path file = config.evaluation(folder);
    Optional<JsonNode> evaluation =
        Files.isRegularFile(file) ? Optional.of(EvaluationFile.read(file)) : Optional.empty();
    evaluation.ifPresent(json -> warnOfOthers(config, json, output));
    return HtmlReport.of(new ReportRun(config, output, run, evaluation).report());
  }

  private static void warnOfOthers(ReportConfig config, JsonNode json, RunOutput output) {
    for (JsonNode model : json.path("models")) {
      if (Paths.names(model.path("model").asString(""), config.first())) {
        return;
      }
    }
    output.warn(
        "[%s] is an evaluation of other models than %s; the report shows it with their names"
            .formatted(config.evaluation(config.first()), config.first()));
  }

  private RunReport report() throws IOException {
    Optional<LedgerSummary> ledger = ledger();
    List<Suspect> suspects =
        ledger.map(LedgerSummary::suspects).orElse(List.of()).stream()
            .limit(config.rows())
            .toList();
    LedgerSummary.Texts texts =
        ledger
            .map(summary -> summary.texts(suspects, run.options()))
            .orElseGet(() -> new LedgerSummary.Texts(Map.of(), List.of()));
    texts.remarks().forEach(output::warn);
    return new RunReport(
        Paths.name(config.first().toAbsolutePath()),
        subtitle(),
        worked(),
        figures(),
        real(),
        tables(),
        worse(),
        pairs(ledger, suspects, texts.remarks()),
        shown(suspects, ledger, texts.of()),
        command(),
        repeat(),
        inputs(),
        run.options()
            .map(options -> RunRecords.changedOptions(options, option -> true))
            .orElse(Map.of()),
        run.options().map(ReportRun::allOptions).orElse(Map.of()),
        CurvesPlot.charts(run.history(), stepsPerEpoch()),
        CurvesPlot.note(run.history()),
        answers(),
        "Made by dpo4j %s from the files of the run.".formatted(Dpo4j.version()));
  }

  private double stepsPerEpoch() {
    return run.history()
        .lastStep()
        .filter(last -> last.epoch() > 0)
        .map(last -> last.step() / last.epoch())
        .orElse(0.0);
  }

  private String subtitle() {
    int steps = run.history().lastStep().map(StepReport::step).orElse(0);
    return run.options()
        .map(
            options ->
                "%s tuned with %s on %s, %s"
                    .formatted(
                        Paths.name(options.model().model()),
                        new RunDescriptions(options).loss(),
                        options.data().training().paths(),
                        ShortNumber.count(steps, "step")))
        .orElse("a run of another program, %s".formatted(ShortNumber.count(steps, "step")));
  }

  /** The answer, and what it rests on. */
  private List<String> worked() {
    List<String> lines = new ArrayList<>();
    List<RunHistory.HeldOut> sets = run.history().heldOut();
    String noun = noun();
    if (sets.isEmpty()) {
      lines.add("Not known: no held-out examples were evaluated before and after.");
    } else {
      long fell =
          sets.stream()
              .filter(sides -> sides.last().metrics().loss() < sides.first().metrics().loss())
              .count();
      lines.add(
          fell == sets.size()
              ? "Yes, as training measures it: the loss of the held-out %ss fell. Whether the answers are good, only reading some can tell%s."
                  .formatted(noun, answers().isEmpty() ? "" : ": a few are below")
              : fell == 0
                  ? "No: the loss of the held-out %ss did not fall.".formatted(noun)
                  : "In part: the loss fell on %d of %d held-out sets."
                      .formatted(fell, sets.size()));
    }
    lines.addAll(run.conclusion().summary());
    int first = sets.isEmpty() ? 0 : sets.get(0).first().step();
    if (first > 0) {
      lines.add(
          "The first evaluation was at step %d, so what changed before it is not in these figures."
              .formatted(first));
    }
    return lines;
  }

  private String noun() {
    return run.history().kind().noun();
  }

  private RunReport.Table figures() {
    List<List<String>> rows = new ArrayList<>();
    int first = 0;
    int last = 0;
    for (RunHistory.HeldOut sides : run.history().heldOut()) {
      first = sides.first().step();
      last = sides.last().step();
      TrainingMetrics before = sides.first().metrics();
      TrainingMetrics after = sides.last().metrics();
      String of = sides.of();
      rows.add(change("loss" + of, before.loss(), after.loss()));
      if (after.kind() == ExampleKind.PAIRS) {
        rows.add(
            List.of(
                "accuracy by reward margin" + of,
                before.tied() ? "- (all margins are 0)" : percent(before.rewardsAccuracies()),
                percent(after.rewardsAccuracies())));
        rows.add(
            change(
                "reward margin" + of,
                before.tied() ? 0 : before.rewardsMargins(),
                after.rewardsMargins()));
      }
      if (after.kind() != ExampleKind.DEMONSTRATIONS) {
        rows.add(
            change(
                "log-probability of a chosen answer, nats" + of,
                before.logpsChosen(),
                after.logpsChosen()));
        rows.add(
            change(
                "log-probability of a rejected answer, nats" + of,
                before.logpsRejected(),
                after.logpsRejected()));
      }
      rows.add(change("entropy of the next token, nats" + of, before.entropy(), after.entropy()));
    }
    return new RunReport.Table(
        "Held-out %ss, at the first and the last evaluation".formatted(noun()),
        List.of("", "step " + first, "step " + last),
        rows);
  }

  private static List<String> change(String name, double before, double after) {
    return List.of(name, ShortNumber.of(before), ShortNumber.of(after));
  }

  /** Whether the accuracy of each held-out set is more than chance, in sentences. */
  static List<String> chance(RunHistory history) {
    List<String> lines = new ArrayList<>();
    for (RunHistory.HeldOut sides : history.heldOut()) {
      EvaluationReport last = sides.last();
      if (last.metrics().kind() != ExampleKind.PAIRS
          || last.examples() == 0
          || last.metrics().tied()) {
        continue;
      }
      int right = (int) Math.rint(last.metrics().rewardsAccuracies() * last.examples());
      Proportion share = new Proportion(Math.min(right, last.examples()), last.examples());
      String counted =
          "In %,d of %,d held-out pairs%s (%s, 95 %% interval %s to %s) the model prefers the chosen answer more than its reference does"
              .formatted(
                  right,
                  last.examples(),
                  sides.of(),
                  percent(share.share()),
                  percent(share.low()),
                  percent(share.high()));
      lines.add(
          counted
              + (share.low() > 0.5
                  ? ". Chance would give one half: the gain of this run is real on pairs like these."
                  : share.high() < 0.5
                      ? ". That is fewer than chance would give: the model learnt the opposite."
                      : ". The interval holds one half, which chance would give: more held-out pairs"
                          + " are needed to call the gain real."));
    }
    return lines;
  }

  /** Sentences about chance. */
  private List<String> real() {
    List<String> lines = new ArrayList<>(chance(run.history()));
    if (lines.isEmpty()) {
      lines.add(
          run.history().evaluations().isEmpty()
              ? "Nothing is known: the run had no held-out pairs. Give eval_file or eval_split to the"
                  + " next run, or measure this model with eval."
              : "The evaluations of this run do not count pairs, so they cannot be compared with"
                  + " chance.");
    }
    boolean chosenByIt =
        run.options().filter(options -> options.checkpoints().loadBestModelAtEnd()).isPresent();
    if (chosenByIt) {
      lines.add(
          "The saved checkpoint was chosen by the same held-out pairs, which flatters it: measure it"
              + " on other pairs with eval.");
    }
    evaluation.ifPresent(
        json -> {
          json.path("models").forEach(model -> byLogProbability(model, lines));
          json.path("differences")
              .forEach(difference -> lines.add(difference.path("sentences").asString("")));
        });
    return lines;
  }

  /** A reward margin tells how the model moved; this tells what it now prefers. */
  private static void byLogProbability(JsonNode model, List<String> lines) {
    JsonNode after = model.path("logps/accuracies");
    JsonNode before = model.path("ref_logps/accuracies");
    if (before.path("value").isNumber()) {
      lines.add(
          "That is how the model moved. What it prefers now: %s gives the chosen answer the higher probability in %s of the pairs of eval (95 %% interval %s to %s), its reference in %s."
              .formatted(
                  model.path("model").asString(""),
                  percent(after.path("value").asDouble()),
                  percent(after.path("low").asDouble()),
                  percent(after.path("high").asDouble()),
                  percent(before.path("value").asDouble())));
    }
  }

  private List<RunReport.Table> tables() {
    List<RunReport.Table> tables = new ArrayList<>();
    evaluation.ifPresent(
        json -> {
          tables.add(table(json));
          for (JsonNode model : json.path("models")) {
            slices(model).ifPresent(tables::add);
          }
        });
    return tables;
  }

  /** A column for each model. */
  static RunReport.Table table(JsonNode json) {
    List<String> header = new ArrayList<>(List.of(""));
    json.path("models").forEach(model -> header.add(model.path("model").asString("")));
    Map<String, String> shares = new LinkedHashMap<>();
    shares.put("rewards/accuracies", "accuracy by reward margin");
    shares.put(
        "rewards/accuracies_length_controlled", "accuracy by reward margin, length controlled");
    shares.put("logps/accuracies", "accuracy by log-probability");
    shares.put("ref_logps/accuracies", "accuracy by log-probability, of the reference");
    shares.put("chosen_fell", "chosen answers less likely than under the reference");
    Map<String, String> numbers = new LinkedHashMap<>();
    numbers.put("/perplexity~1chosen", "perplexity of chosen answers");
    numbers.put("/ref_perplexity~1chosen", "perplexity of chosen answers, of the reference");
    numbers.put("/calibration/error", "calibration error");
    numbers.put("/kl/per_token", "KL divergence from the reference, nats per token");
    List<List<String>> rows = new ArrayList<>();
    shares.forEach((field, name) -> row(json, name, rows, model -> share(model.path(field))));
    numbers.forEach(
        (pointer, name) ->
            row(
                json,
                name,
                rows,
                model ->
                    model.at(pointer).isNumber()
                        ? ShortNumber.of(model.at(pointer).asDouble())
                        : ""));
    return new RunReport.Table(
        "eval on %s, %s pairs, with 95 %% intervals"
            .formatted(json.path("data").asString(""), json.at("/models/0/pairs").asString("?")),
        header,
        rows);
  }

  /** Adds a row, if a model has a value in it. */
  private static void row(
      JsonNode json, String name, List<List<String>> rows, Function<JsonNode, String> value) {
    List<String> row = new ArrayList<>(List.of(name));
    json.path("models").forEach(model -> row.add(value.apply(model)));
    if (row.subList(1, row.size()).stream().anyMatch(cell -> !cell.isEmpty())) {
      rows.add(row);
    }
  }

  private static String share(JsonNode share) {
    return share.path("value").isNumber()
        ? "%s (%s to %s)"
            .formatted(
                percent(share.path("value").asDouble()),
                percent(share.path("low").asDouble()),
                percent(share.path("high").asDouble()))
        : "";
  }

  /** The parts that differ from all pairs by more than chance. */
  private static Optional<RunReport.Table> slices(JsonNode model) {
    List<List<String>> rows = new ArrayList<>();
    if (model.path("pairs").asInt(0) < EvaluationText.FEWEST_PAIRS) {
      return Optional.empty();
    }
    for (JsonNode slice : model.path("slices")) {
      if (slice.path("differs").asBoolean(false)) {
        JsonNode byReward = slice.path("rewards/accuracies");
        rows.add(
            List.of(
                slice.path("by").asString("") + ": " + slice.path("value").asString(""),
                share(byReward.isMissingNode() ? slice.path("logps/accuracies") : byReward),
                slice.path("pairs").asString("")));
      }
    }
    return rows.isEmpty()
        ? Optional.empty()
        : Optional.of(
            new RunReport.Table(
                "parts of the pairs whose accuracy under %s differs from that of all"
                    .formatted(model.path("model").asString("")),
                List.of("", "accuracy", "pairs"),
                rows));
  }

  private List<String> worse() {
    List<String> lines = new ArrayList<>();
    run.conclusion().warnings().forEach(warning -> lines.add(OptionText.plain(warning)));
    for (RunHistory.HeldOut sides : run.history().heldOut()) {
      TrainingMetrics before = sides.first().metrics();
      TrainingMetrics after = sides.last().metrics();
      double fell = before.logpsChosen() - after.logpsChosen();
      if (after.kind() != ExampleKind.DEMONSTRATIONS && fell > VISIBLE) {
        lines.add(
            format(
                "Held-out chosen answers%s became less likely, by %.2f nats on average. That is usual with DPO.",
                sides.of(), fell));
      }
      if (after.entropy() < (1 - VISIBLE) * before.entropy()) {
        lines.add(
            format(
                "The model became narrower%s: the entropy of the next token fell from %s to %s nats.",
                sides.of(), ShortNumber.of(before.entropy()), ShortNumber.of(after.entropy())));
      }
      if (after.meanTokenAccuracy() < before.meanTokenAccuracy() - 0.01) {
        lines.add(
            format(
                "Fewer tokens of the chosen answers%s are the model's first choice: %s, before %s.",
                sides.of(),
                percent(after.meanTokenAccuracy()),
                percent(before.meanTokenAccuracy())));
      }
    }
    overfitted().ifPresent(lines::add);
    evaluation.ifPresent(json -> json.path("models").forEach(model -> worse(model, lines)));
    if (lines.isEmpty()) {
      lines.add("Nothing that was measured.");
    }
    return lines;
  }

  /** Training pairs that were learned by heart have larger margins than held-out ones. */
  private Optional<String> overfitted() {
    Optional<RunHistory.HeldOut> sides = run.history().heldOut().stream().findFirst();
    Optional<StepReport> last = run.history().lastStep();
    if (sides.isEmpty() || last.isEmpty() || run.history().kind() != ExampleKind.PAIRS) {
      return Optional.empty();
    }
    double trained = last.get().metrics().rewardsMargins();
    double heldOut = sides.get().last().metrics().rewardsMargins();
    return trained > 2 * Math.max(heldOut, VISIBLE)
        ? Optional.of(
            format(
                "The margin of the last training pairs is %.2f, that of the held-out ones %.2f: much of what was learned holds for the training pairs alone.",
                trained, heldOut))
        : Optional.empty();
  }

  private static void worse(JsonNode model, List<String> lines) {
    double perplexity = model.path("perplexity/chosen").asDouble(Double.NaN);
    double reference = model.path("ref_perplexity/chosen").asDouble(Double.NaN);
    if (perplexity > (1 + VISIBLE) * reference) {
      lines.add(
          format(
              "The perplexity of chosen answers rose by %.0f %%, from %s to %s (eval of %s).",
              100 * (perplexity / reference - 1),
              ShortNumber.of(reference),
              ShortNumber.of(perplexity),
              model.path("model").asString("")));
    }
    double fell = model.path("chosen_fell").path("value").asDouble(0);
    double divergence = model.at("/kl/per_token").asDouble(0);
    if (fell > 0.5) {
      lines.add(
          format(
              "%s of the chosen answers are less likely than under the reference%s.",
              percent(fell),
              divergence > 0
                  ? format(
                      ", and the model is %s nats per token away from it (KL)",
                      ShortNumber.of(divergence))
                  : ""));
    }
    double sure = model.path("calibration").path("overconfidence").asDouble(0);
    if (sure > VISIBLE) {
      lines.add(
          format(
              "%s is too sure of its preferences, by %.0f points.",
              model.path("model").asString(""), 100 * sure));
    }
  }

  private List<PromptAnswers> answers() {
    Path file = run.folder().resolve(SampleFile.NAME);
    return Files.isRegularFile(file) ? SampleFile.read(file) : List.of();
  }

  private Optional<LedgerSummary> ledger() {
    Path file = run.folder().resolve("ledger.jsonl");
    return Files.isRegularFile(file)
        ? Optional.of(LedgerSummary.of(Ledger.read(file), THRESHOLD))
        : Optional.empty();
  }

  private static List<String> pairs(
      Optional<LedgerSummary> ledger, List<Suspect> suspects, List<String> remarks) {
    if (ledger.isEmpty()) {
      return List.of("Nothing is known of single pairs: the run has no ledger.jsonl.");
    }
    List<String> lines = new ArrayList<>();
    int all = ledger.get().suspects().size();
    lines.add(
        all == 0
            ? "No pair stands out."
            : "%s stayed behind the others: the mean margin is %.1f sigmas (of the median absolute deviation) or more below the median of its set, which is %s for training pairs. In some, chosen and rejected may be swapped; others are just hard: read each."
                .formatted(
                    ShortNumber.count(all, "pair"),
                    THRESHOLD,
                    ShortNumber.fixed("%+.2f", ledger.get().medianMargin())));
    if (!suspects.isEmpty()) {
      lines.add(
          "Below, the lowest mean comes first, and rows are counted from 1%s."
              .formatted(
                  suspects.size() < all
                      ? "; %d of %d are shown, and the command ledger lists all"
                          .formatted(suspects.size(), all)
                      : ""));
    }
    remarks.forEach(remark -> lines.add(OptionText.plain(remark)));
    lines.addAll(ledger.get().lines());
    return lines;
  }

  private static List<RunReport.Suspect> shown(
      List<Suspect> suspects, Optional<LedgerSummary> ledger, Map<RowOrigin, PairTexts> texts) {
    return suspects.stream()
        .map(
            suspect -> {
              boolean training = ledger.orElseThrow().isTraining(suspect);
              return shown(
                  suspect.history().pair() + (training ? "" : " (held out)"),
                  "mean margin %s; at each visit %s"
                      .formatted(
                          ShortNumber.fixed("%+.2f", suspect.history().meanMargin()),
                          LedgerSummary.margins(suspect.history())),
                  texts.get(suspect.history().pair()));
            })
        .toList();
  }

  /** A pair with the beginnings of its texts, where they are known. */
  static RunReport.Suspect shown(String place, String margins, @Nullable PairTexts text) {
    return new RunReport.Suspect(
        place,
        margins,
        text == null ? "" : LedgerSummary.excerpt(text.prompt(), EXCERPT),
        text == null ? "" : LedgerSummary.excerpt(text.chosen(), EXCERPT),
        text == null ? "" : LedgerSummary.excerpt(text.rejected(), EXCERPT));
  }

  private String command() {
    return run.options()
        .map(
            options ->
                output.styled(
                    OptionText.of(
                        "%s %s {config} %s {output_dir} NEW_FOLDER",
                        Paths.launcher(),
                        options.loss().examples() == ExampleKind.DEMONSTRATIONS ? "sft" : "train",
                        config.first().resolve(RunRecords.OPTIONS))))
        .orElse("");
  }

  private List<String> repeat() {
    return run.options().isEmpty()
        ? List.of(
            "The files of the run do not tell its options, its model or its data: ask whoever made"
                + " it for its script.")
        : List.of(
            "Run it in the folder in which the run was started: paths are relative to it. The same"
                + " files, the same number of threads and the same kind of processor give the same"
                + " weights to the last bit.",
            "The hashes are those of the files when this page was made.");
  }

  /** What the run read, as it is now. */
  private Map<String, String> inputs() {
    Map<String, String> inputs = new LinkedHashMap<>();
    run.options()
        .ifPresent(
            options -> {
              inputs.put("model", options.model().model().toString());
              try {
                List<Path> files = new ArrayList<>(DataInputs.files(options.data().training()));
                options
                    .data()
                    .heldOut()
                    .forEach(set -> files.addAll(DataInputs.files(set.input())));
                for (Path file : files) {
                  inputs.put(file.toString(), "sha256 " + Sha256.of(file));
                }
              } catch (DpoException | IOException e) {
                inputs.put("data", "not there any more: " + e.getMessage());
              }
              inputs.put("seed", Long.toString(options.engine().seed()));
            });
    return inputs;
  }

  static Map<String, String> allOptions(TrainingConfig options) {
    Map<String, Object> values = TrainingConfig.OPTIONS.write(options);
    Map<String, String> all = new LinkedHashMap<>();
    values.forEach((name, value) -> all.put(name, OptionType.text(value)));
    return all;
  }

  static String percent(double share) {
    return format("%.1f %%", 100 * share);
  }

  private static String format(String format, Object... values) {
    return String.format(Locale.ROOT, format, values);
  }
}
