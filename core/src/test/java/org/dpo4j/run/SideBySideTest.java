package org.dpo4j.run;

import static org.assertj.core.api.Assertions.assertThat;
import static org.dpo4j.run.RunFixture.fixture;
import static org.dpo4j.run.RunFixture.output;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.stream.Collectors;
import org.dpo4j.StepReport;
import org.dpo4j.TrainingControl;
import org.dpo4j.TrainingListener;
import org.dpo4j.batch.EpochPlan;
import org.dpo4j.config.GenerateConfig;
import org.dpo4j.config.ScoreConfig;
import org.dpo4j.config.TrainingConfig;
import org.dpo4j.encode.EncodedExample;
import org.dpo4j.logprob.LogProbEngine;
import org.dpo4j.logprob.LogProbTable;
import org.dpo4j.loss.Objective;
import org.dpo4j.loss.SigmoidLoss;
import org.dpo4j.model.CausalLm;
import org.dpo4j.model.SmallModel;
import org.dpo4j.optim.AdamW;
import org.dpo4j.optim.LearningRateSchedule;
import org.dpo4j.reference.PrecomputedReference;
import org.dpo4j.torch.ElementType;
import org.dpo4j.torch.Engine;
import org.dpo4j.train.Computation;
import org.dpo4j.train.SmallPairs;
import org.dpo4j.train.Trainer;
import org.dpo4j.train.TrainingData;
import org.dpo4j.train.TrainingSession;
import org.dpo4j.train.TrainingSnapshot;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.json.JsonMapper;

/**
 * Closes: runs in one JVM that change each other's numbers. Four threads work at once, each on its
 * own runs in an order and with pauses of chance: full training with evaluations, an adapter with
 * dropout, a run that a listener stops, a session continued from a snapshot, scoring and writing
 * text, with one to three threads of the engine. Every result must have the bytes that it has
 * alone.
 *
 * <p>{@code -Ddpo4j.sideBySide=50} repeats it so often.
 */
class SideBySideTest {

  private static final int REPETITIONS = Integer.getInteger("dpo4j.sideBySide", 2);
  private static final int WORKERS = 4;

  private final Path folder;

  SideBySideTest(@TempDir Path folder) {
    this.folder = folder;
  }

  /** A run, and what of it must not change. */
  private interface Case {
    String result(Path folder) throws IOException;
  }

  private static Map<String, Case> cases() {
    Map<String, Object> full =
        Map.of("eval_file", fixture("pairs32.jsonl"), "eval_strategy", "steps", "eval_steps", 1);
    Map<String, Object> adapter =
        Map.of(
            "use_peft",
            true,
            "lora_r",
            4,
            "lora_dropout",
            0.3,
            "disable_dropout",
            false,
            "learning_rate",
            1e-2);
    Map<String, Case> cases = new LinkedHashMap<>();
    cases.put("full training, 2 threads", at -> train(at, full, 2));
    cases.put("full training, 1 thread", at -> train(at, Map.of("loss_type", "ipo"), 1));
    cases.put(
        "full training, 3 threads, checkpointed",
        at -> train(at, Map.of("gradient_checkpointing", true), 3));
    cases.put("adapter, 2 threads", at -> train(at, adapter, 2));
    cases.put(
        "adapter, 1 thread, another seed",
        at -> {
          Map<String, Object> other = new HashMap<>(adapter);
          other.put("seed", 7);
          return train(at, other, 1);
        });
    cases.put("stopped by a listener, 2 threads", at -> train(at, full, 2, new StopsAfterTwo()));
    cases.put("continued from a snapshot, 2 threads", at -> continued());
    cases.put(
        "adapter by autograd, 2 threads",
        at -> {
          Map<String, Object> autograd = new HashMap<>(adapter);
          autograd.put("engine", "autograd");
          return train(at, autograd, 2);
        });
    cases.put("scores, 2 threads", SideBySideTest::score);
    cases.put("text, 2 threads", SideBySideTest::generate);
    return cases;
  }

  @Test
  void everyRunHasTheBytesThatItHasAlone() throws Exception {
    Map<String, String> alone = new HashMap<>();
    for (Map.Entry<String, Case> entry : cases().entrySet()) {
      alone.put(entry.getKey(), entry.getValue().result(place("alone")));
    }
    ExecutorService threads = Executors.newFixedThreadPool(WORKERS);
    try {
      for (int i = 0; i < REPETITIONS; i++) {
        List<Callable<Map<String, String>>> workers = new ArrayList<>();
        for (int worker = 0; worker < WORKERS; worker++) {
          Random random = new Random(100L * i + worker);
          workers.add(() -> someInOrder(random));
        }
        for (Future<Map<String, String>> future : threads.invokeAll(workers)) {
          future
              .get()
              .forEach((name, result) -> assertThat(result).as(name).isEqualTo(alone.get(name)));
        }
      }
    } finally {
      threads.shutdown();
    }
  }

  /** Four of the runs, one after the other. */
  private Map<String, String> someInOrder(Random random) throws Exception {
    List<Map.Entry<String, Case>> order = new ArrayList<>(cases().entrySet());
    Collections.shuffle(order, random);
    Map<String, String> results = new LinkedHashMap<>();
    for (Map.Entry<String, Case> entry : order.subList(0, WORKERS)) {
      Thread.sleep(random.nextInt(60)); // another offset every time
      results.put(entry.getKey(), entry.getValue().result(place("beside")));
    }
    return results;
  }

  private Path place(String name) throws IOException {
    return Files.createTempDirectory(folder, name);
  }

  private static final class StopsAfterTwo implements TrainingListener {
    @Override
    public void onStep(StepReport step, TrainingControl control) {
      if (step.step() == 2) {
        control.requestStop();
      }
    }
  }

  /** A session is left in the middle of a step, and a second one goes on from its snapshot. */
  private static String continued() {
    try (Engine.Threads threads = Engine.use(2);
        CausalLm start = SmallModel.LLAMA.create(ElementType.F32, 3);
        CausalLm first = start.copy();
        CausalLm second = start.copy()) {
      List<EncodedExample> pairs = SmallPairs.random(12, 5);
      TrainingData data =
          new TrainingData(
              pairs,
              new PrecomputedReference(
                  LogProbTable.compute(LogProbEngine.cpu(), start, pairs, 4, done -> {})));
      try (TrainingSession left = session(first, data);
          TrainingSession continued = session(second, data)) {
        Trainer trainer = new Trainer(left);
        for (int i = 0; i < 5; i++) { // the first half of step 3
          trainer.advance();
        }
        try (TrainingSnapshot snapshot = left.snapshot()) {
          continued.restore(snapshot);
        }
        new Trainer(continued).train();
      }
      return Arrays.toString(SmallModel.weights(second));
    }
  }

  private static TrainingSession session(CausalLm policy, TrainingData data) {
    return new TrainingSession(
        policy,
        data,
        Objective.of(new SigmoidLoss(0.1)),
        new Trainer.Settings(
            new EpochPlan(12, 3, 2, EpochPlan.Order.SHUFFLED, 1),
            6,
            LearningRateSchedule.constant(1e-3),
            AdamW.Settings.ADAM,
            1,
            0,
            2,
            Computation.PLAIN,
            true));
  }

  private static String train(
      Path folder, Map<String, Object> more, int threads, TrainingListener... listeners)
      throws IOException {
    Map<String, Object> options = new HashMap<>(more);
    options.put("model", fixture("models/llama"));
    options.put("data_file", fixture("pairs32.jsonl"));
    options.put("output_dir", folder.resolve("out"));
    options.put("save_dtype", "float32");
    options.put("max_length", 128);
    options.put("max_steps", 3);
    options.put("logging_steps", 1);
    options.put("per_device_train_batch_size", 4);
    options.put("threads", threads);
    TrainingRun.run(TrainingConfig.of(options), output(new ByteArrayOutputStream()), listeners);
    boolean adapter = Files.exists(folder.resolve("out/adapter_model.safetensors"));
    return Files.readString(
            folder.resolve(adapter ? "out/adapter_model.safetensors" : "out/model.safetensors"),
            StandardCharsets.ISO_8859_1) // every byte is a character
        + figures(Files.readString(folder.resolve("out/trainer_state.json")));
  }

  /** What was logged, without the times. */
  private static String figures(String json) {
    return JsonMapper.shared()
        .readTree(json)
        .get("log_history")
        .valueStream()
        .flatMap(line -> line.properties().stream())
        .filter(figure -> !figure.getKey().matches(".*(runtime|_time|_per_second)"))
        .map(figure -> figure.getKey() + " " + figure.getValue())
        .collect(Collectors.joining("\n"));
  }

  private static String score(Path folder) throws IOException {
    Path scores = folder.resolve("scores.jsonl");
    ScoreRun.run(
        ScoreConfig.of(
            Map.of(
                "model",
                fixture("models/llama"),
                "data_file",
                fixture("pairs32.jsonl"),
                "output",
                scores,
                "threads",
                2)),
        output(new ByteArrayOutputStream()));
    return Files.readString(scores);
  }

  private static String generate(Path folder) {
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    GenerateRun.run(
        GenerateConfig.of(
            Map.of(
                "model",
                fixture("models/llama"),
                "prompt",
                "The sky is",
                "max_new_tokens",
                40,
                "threads",
                2)),
        output(out));
    return out.toString(StandardCharsets.UTF_8);
  }
}
