package org.dpo4j.run;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.net.URISyntaxException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import org.dpo4j.Cancellation;
import org.dpo4j.StepReport;
import org.dpo4j.TrainingControl;
import org.dpo4j.TrainingListener;
import org.dpo4j.config.PlanConfig;
import org.dpo4j.config.ScoreConfig;
import org.dpo4j.options.GivenValue;
import org.dpo4j.report.Progress;
import org.dpo4j.report.RunOutput;
import tools.jackson.databind.json.JsonMapper;

/** Fixtures of the tests, and outputs of runs that keep what is printed. */
final class RunFixture {

  private RunFixture() {}

  /** A file or folder of the tests' fixtures. */
  static Path fixture(String name) {
    try {
      return Path.of(
          Objects.requireNonNull(RunFixture.class.getResource("/fixtures/" + name), name).toURI());
    } catch (URISyntaxException e) {
      throw new IllegalStateException(e);
    }
  }

  /** A copy of the small model of a family, with its tokenizer. */
  static Path family(String modelType, Path folder) throws IOException {
    Path copy = Files.createDirectories(folder.resolve(modelType));
    for (String file : List.of("config.json", "model.safetensors", "tokenizer_config.json")) {
      Files.copy(fixture("family_trajectories/" + modelType).resolve(file), copy.resolve(file));
    }
    Files.copy(fixture("family_trajectories/tokenizer.json"), copy.resolve("tokenizer.json"));
    return copy;
  }

  /** A copy of a model among the fixtures, with the tokenizer that they share. */
  static Path model(String name, Path folder) throws IOException {
    Path copy = Files.createDirectories(folder.resolve(name));
    for (String file : List.of("config.json", "model.safetensors", "tokenizer_config.json")) {
      Files.copy(fixture("models/" + name).resolve(file), copy.resolve(file));
    }
    Files.copy(
        fixture("models/" + name + "/chat_template.jinja"), copy.resolve("chat_template.jinja"));
    Files.copy(fixture("models/llama/tokenizer.json"), copy.resolve("tokenizer.json"));
    return copy;
  }

  /** An output whose results and messages go into one stream. */
  static RunOutput output(ByteArrayOutputStream out) {
    return output(out, out);
  }

  static RunOutput output(ByteArrayOutputStream out, ByteArrayOutputStream err) {
    return new RunOutput(stream(out), stream(err), Progress.NONE);
  }

  static PrintStream stream(ByteArrayOutputStream out) {
    return new PrintStream(out, true, StandardCharsets.UTF_8);
  }

  /** Suspends a run at the end of a step. */
  static TrainingListener suspending(Cancellation cancellation, int step) {
    return new TrainingListener() {
      @Override
      public void onStep(StepReport report, TrainingControl control) {
        if (report.step() == step) {
          cancellation.suspend();
        }
      }
    };
  }

  /** What was printed. */
  static String text(ByteArrayOutputStream out) {
    return out.toString(StandardCharsets.UTF_8);
  }

  /** Plans a run. */
  static void plan(ByteArrayOutputStream out, Map<String, Object> options) {
    Map<String, GivenValue> given = new LinkedHashMap<>();
    options.forEach((name, value) -> given.put(name, GivenValue.of(value)));
    PlanRun.run(PlanConfig.resolve(Map.of(), given, notice -> {}), output(out));
  }

  /** The log-probability of the first chosen completion of the families' pairs. */
  static double firstChosen(Path folder, Path model, Optional<Path> adapter) throws IOException {
    Path scores = folder.resolve("scores.jsonl");
    Map<String, Object> options = new HashMap<>();
    options.put("model", model);
    options.put("data_file", fixture("family_trajectories/pairs.jsonl"));
    options.put("max_length", 128);
    options.put("output", scores);
    adapter.ifPresent(path -> options.put("adapter", path));
    ScoreRun.run(ScoreConfig.of(options), output(new ByteArrayOutputStream()));
    String line = Files.readAllLines(scores).get(0);
    return JsonMapper.shared().readTree(line).get("chosen_logps").asDouble();
  }
}
