package org.dpo4j.parity;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.io.OutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;
import org.dpo4j.config.ScoreConfig;
import org.dpo4j.config.TrainingConfig;
import org.dpo4j.report.Progress;
import org.dpo4j.report.RunOutput;
import org.dpo4j.run.ScoreRun;
import org.dpo4j.run.TrainingRun;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/**
 * Repeats a run of TRL through the whole line, files in and files out, and compares every logged
 * metric of every step, and the log-probabilities of the checkpoint that was written.
 */
final class TrajectoryCheck {

  private static final JsonMapper JSON = JsonMapper.shared();

  /** Equal to the last digit: they are counted or computed from counts. */
  private static final Set<String> EXACT =
      Set.of("learning_rate", "num_tokens", "epoch", "rewards/accuracies");

  /** Compared only where a step is one micro-batch: TRL averages the micro-batches' means. */
  private static final Set<String> TOKEN_MEANS =
      Set.of("entropy", "logits/chosen", "logits/rejected", "mean_token_accuracy");

  /** Settings that are not options here, or are always on. */
  private static final Set<String> NOT_OPTIONS =
      Set.of(
          "bf16",
          "gradient_checkpointing",
          "eval_on_start",
          "precompute_ref_log_probs",
          "chat_template_path");

  private final Path fixtures;
  private final Path work;
  private final String engine;
  private final double loosest;

  /**
   * Prepares checks of the default engine.
   *
   * @param fixtures the folder that holds models, trajectories and pairs32.jsonl
   * @param work an empty folder
   */
  TrajectoryCheck(Path fixtures, Path work) {
    this(fixtures, work, "cpu", Double.MAX_VALUE);
  }

  /**
   * Prepares checks of an engine.
   *
   * @param loosest limit of all tolerances
   */
  TrajectoryCheck(Path fixtures, Path work, String engine, double loosest) {
    this.fixtures = fixtures;
    this.work = work;
    this.engine = engine;
    this.loosest = loosest;
  }

  /** Runs and compares; what was compared goes into the table even where it fails. */
  void run(String name, ParityTable table) throws IOException {
    run("trajectories", name, table);
  }

  /** The same for a run in another folder of the fixtures, with its data beside it. */
  void run(String folder, String name, ParityTable table) throws IOException {
    JsonNode fixture = JSON.readTree(fixtures.resolve(folder + "/" + name + ".json"));
    JsonNode setup = fixture.get("setup");
    Path model = model(setup, setup.get("model").asString(), "model");
    Path beside = fixtures.resolve(folder).resolve(setup.get("data").asString());
    Path data = Files.exists(beside) ? beside : fixtures.resolve("pairs32.jsonl");
    useTemplate(fixture, folder, model);
    Path output = work.resolve(name);
    TrainingRun.run(config(fixture, folder, model, data, output), silent());

    Map<String, Worst> worst = new LinkedHashMap<>();
    JsonNode log = JSON.readTree(output.resolve("trainer_state.json")).get("log_history");
    assertThat(log).hasSize(fixture.get("log").size() + 1); // and the figures of the whole run
    for (int step = 0; step < fixture.get("log").size(); step++) {
      JsonNode ours = log.get(step);
      for (var metric : fixture.get("log").get(step).properties()) {
        if (!averagedOtherwise(fixture, metric.getKey())) {
          compare(step, metric.getKey(), ours, metric.getValue().asDouble(), worst);
        }
      }
    }
    boolean adapter = !setup.get("adapter").isNull();
    compareFinal(
        fixture,
        data,
        adapter ? Map.of("model", model, "adapter", output) : Map.of("model", output),
        worst);
    worst.forEach(
        (metric, w) ->
            table.add("trajectories/" + name, column(metric), w.difference, w.tolerance));
    assertThat(worst.entrySet())
        .as(name)
        .allSatisfy(
            entry ->
                assertThat(entry.getValue().difference)
                    .as("%s, first in %s", entry.getKey(), entry.getValue().where)
                    .isLessThanOrEqualTo(entry.getValue().tolerance));
  }

  /**
   * Whether TRL takes another mean: over micro-batches, or over batches of an evaluation, of their
   * means. Means here are over examples and tokens.
   */
  private static boolean averagedOtherwise(JsonNode fixture, String metric) {
    boolean pairs = !fixture.get("setup").has("trainer");
    if (metric.startsWith("eval_")) {
      return !metric.equals("eval_loss") || isSft(fixture);
    }
    if (!fixture.at("/config").has("gradient_accumulation_steps")) {
      return false;
    }
    return TOKEN_MEANS.contains(metric)
        || (!pairs && (metric.startsWith("rewards/") || metric.startsWith("logps/")));
  }

  private static boolean isSft(JsonNode fixture) {
    return fixture.at("/setup/trainer").asString("").equals("SFT");
  }

  /** The largest |x - y| / max(1, |y|) of one metric, and where it was. */
  private static final class Worst {
    private final double tolerance;
    private double difference;
    private String where = "no step";

    Worst(double tolerance) {
      this.tolerance = tolerance;
    }

    void add(String place, double value, double expected) {
      double off = Math.abs(value - expected) / Math.max(1, Math.abs(expected));
      if (!(off <= difference)) { // NaN too
        difference = off;
        where = "%s: %s instead of %s".formatted(place, value, expected);
      }
    }
  }

  private void compare(
      int step, String metric, JsonNode ours, double expected, Map<String, Worst> worst) {
    assertThat(ours.has(metric)).as("%s in step %d", metric, step).isTrue();
    worst
        .computeIfAbsent(metric, name -> new Worst(Math.min(loosest, tolerance(name))))
        .add("step " + step, ours.get(metric).asDouble(), expected);
  }

  /** Metrics of one kind, which have one tolerance, share a column of the table. */
  private static String column(String metric) {
    if (EXACT.contains(metric)) {
      return "rates and counts";
    }
    return TOKEN_MEANS.contains(metric) ? "token means" : metric.replaceFirst("/.*", "");
  }

  private static double tolerance(String metric) {
    if (EXACT.contains(metric)) {
      return 1e-6; // the fixtures' accuracies are fp32 numbers
    }
    if (TOKEN_MEANS.contains(metric)) {
      return 1e-3;
    }
    return metric.equals("grad_norm") ? 2e-3 : metric.startsWith("logps/") ? 2e-5 : 5e-4;
  }

  /** The checkpoint's log-probabilities of the first four kept examples. */
  private void compareFinal(
      JsonNode fixture, Path data, Map<String, Path> result, Map<String, Worst> worst)
      throws IOException {
    if (isSft(fixture)) {
      return; // of packs and of other tokens than score counts
    }
    Path scores = work.resolve("scores.jsonl");
    Map<String, Object> options = new HashMap<>(result);
    options.put("data_file", data);
    options.put("output", scores);
    options.put("max_length", fixture.at("/config/max_length").asInt());
    ScoreRun.run(ScoreConfig.of(options), silent());
    JsonNode expected = fixture.get("final_logps_first4");
    int pair = 0;
    for (String line : Files.readAllLines(scores)) {
      JsonNode row = JSON.readTree(line);
      if (pair < expected.size() && !row.get("status").asString().equals("dropped")) {
        JsonNode values = expected.get(pair);
        if (values.isNumber()) {
          // Pairs that were taken apart begin with all chosen completions.
          compareLast(row.has("logps") ? "logps" : "chosen_logps", row, values.asDouble(), worst);
        } else {
          compareLast("chosen_logps", row, values.get(0).asDouble(), worst);
          compareLast("rejected_logps", row, values.get(1).asDouble(), worst);
        }
        pair++;
      }
    }
    assertThat(pair).isEqualTo(expected.size());
  }

  private static void compareLast(
      String column, JsonNode row, double expected, Map<String, Worst> worst) {
    worst
        .computeIfAbsent("final logps", name -> new Worst(2e-5))
        .add(column + " of row " + row.get("row"), row.get(column).asDouble(), expected);
  }

  /** Puts the fixture's chat template into the folder of the model. */
  private void useTemplate(JsonNode fixture, String folder, Path model) throws IOException {
    JsonNode template = fixture.at("/config/chat_template_path");
    if (template.isString()) {
      Files.copy(
          fixtures.resolve(folder).resolve(template.asString()),
          model.resolve("chat_template.jinja"),
          StandardCopyOption.REPLACE_EXISTING);
    }
  }

  private TrainingConfig config(JsonNode fixture, String folder, Path model, Path data, Path output)
      throws IOException {
    Map<String, Object> options = new HashMap<>();
    if (fixture.get("setup").has("trainer")) {
      options.put("loss_type", isSft(fixture) ? "nll" : "kto");
    }
    for (var setting : fixture.get("config").properties()) {
      JsonNode value = setting.getValue();
      if (!NOT_OPTIONS.contains(setting.getKey())) {
        options.put(
            setting.getKey(),
            value.isArray()
                ? value.valueStream().map(JsonNode::asString).toList()
                : value.asString());
      }
    }
    options.put("model", model);
    options.put("data_file", data);
    options.put("output_dir", output);
    options.put("shuffle", false);
    options.put("engine", engine);
    JsonNode setup = fixture.get("setup");
    if (setup.path("eval_data").isString()) {
      options.put("eval_file", fixtures.resolve(folder).resolve(setup.get("eval_data").asString()));
    }
    if (!setup.get("adapter").isNull()) {
      options.put("adapter", fixtures.resolve(setup.get("adapter").asString()));
    }
    String reference = setup.get("reference").asString("none");
    if (reference.startsWith("models/")) {
      options.put("ref_model", model(setup, reference, "reference"));
    } else {
      options.put("reference", reference.replaceFirst(":.*", ""));
    }
    return TrainingConfig.of(options);
  }

  /** Models share a tokenizer.json; each gets a copy in a folder of its own. */
  private Path model(JsonNode setup, String name, String folder) throws IOException {
    Path copy = Files.createDirectories(work.resolve(folder));
    try (var files = Files.newDirectoryStream(fixtures.resolve(name))) {
      for (Path file : files) {
        Files.copy(file, copy.resolve(file.getFileName().toString()));
      }
    }
    if (Files.notExists(copy.resolve("tokenizer.json"))) {
      String shared = setup.path("tokenizer").asString("models/llama/tokenizer.json");
      Files.copy(fixtures.resolve(shared), copy.resolve("tokenizer.json"));
    }
    return copy;
  }

  private static RunOutput silent() {
    PrintStream nowhere =
        new PrintStream(OutputStream.nullOutputStream(), false, StandardCharsets.UTF_8);
    return new RunOutput(nowhere, nowhere, Progress.NONE);
  }
}
