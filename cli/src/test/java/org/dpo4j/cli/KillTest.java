package org.dpo4j.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import java.util.concurrent.TimeUnit;
import java.util.function.Function;
import java.util.stream.Stream;
import org.dpo4j.checkpoint.CheckpointFolders;
import org.dpo4j.data.Sha256;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.DisabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;

/**
 * Closes: a run that is killed and then lost, or ends with other numbers. Each run of {@link
 * #KINDS} is killed at moments drawn uniformly from its duration, the same command is repeated
 * until it ends, and the result is compared with that of a run without a break.
 *
 * <p>{@code -Ddpo4j.kills=200} kills so often and covers all kinds; {@code -Ddpo4j.seed=N} draws
 * other moments.
 */
@DisabledOnOs(OS.WINDOWS)
class KillTest {

  private static final int KILLS = Integer.getInteger("dpo4j.kills", 4);
  private static final long SEED = Long.getLong("dpo4j.seed", 42);
  private static final Path EXAMPLES = Path.of("..", "examples");

  /** No more kills in a run, so that every kind gets some. */
  private static final int MOST_KILLS_OF_A_RUN = 10;

  private static final String ADAPTER = "--use_peft --lora_r 4 ";
  private static final String HELD_OUT = "--eval_split 0.1 --eval_strategy steps --eval_steps 3 ";

  private static final List<String> KINDS =
      List.of(
          "--save_steps 3",
          ADAPTER + "--save_steps 2 --disable_dropout false --lora_dropout 0.3",
          "--save_steps 1 --save_total_limit 1",
          ADAPTER + HELD_OUT + "--save_steps 3 --load_best_model_at_end",
          "--save_steps 2 --gradient_accumulation_steps 3",
          ADAPTER + "--save_steps 2 --bf16",
          "--save_steps 4 --sync_ref_model --ref_model_sync_steps 3",
          ADAPTER + "--save_steps 2 --loss_type ipo",
          ADAPTER + HELD_OUT + "--save_strategy best --metric_for_best_model rewards/margins",
          ADAPTER + "--save_strategy epoch",
          ADAPTER + "--save_steps 2 --gradient_checkpointing",
          ADAPTER + "--save_steps 2 --lr_scheduler_type cosine --warmup_steps 4",
          ADAPTER + HELD_OUT + "--save_steps 1 --early_stopping_patience 3",
          ADAPTER + "--save_steps 2 --shuffle false",
          ADAPTER + "--save_steps 2 --loss_type sigmoid,sft --loss_weights 1,0.5",
          ADAPTER + "--save_steps 2 --engine autograd",
          ADAPTER + "--save_steps 2 --ld_alpha 0.5",
          ADAPTER + "--save_steps 2 --use_weighting",
          ADAPTER + "--save_steps 2 --loss_type simpo --max_grad_norm 0.1",
          ADAPTER + "--save_steps 5 --save_total_limit 0 --weight_decay 0.1",
          ADAPTER + "--save_steps 2 --lora_modules_to_save input_layernorm");

  private final Path folder;

  KillTest(@TempDir Path folder) {
    this.folder = folder;
  }

  @Test
  void aRunThatIsKilledAtAnyMomentEndsWithTheSameBytesAndLosesNoCheckpoint()
      throws IOException, InterruptedException {
    Random random = new Random(SEED);
    int kills = 0;
    for (int round = 0; kills < KILLS; round++) {
      String kind = KINDS.get(round % KINDS.size());
      int most = Math.min(MOST_KILLS_OF_A_RUN, Math.max(2, KILLS - kills));
      int ofRun = killed(kind, "run" + round, most, random);
      kills += ofRun;
      System.out.printf("%d kills of: %s (seed %d)%n", ofRun, kind, SEED);
    }
  }

  @Test
  void roundsThatAreKilledInAnyPhaseEndWithTheSameModels()
      throws IOException, InterruptedException {
    Files.writeString(folder.resolve("prompts.txt"), "Hello\nName a color.\nTell me a joke.\n");
    Path whole = folder.resolve("whole");
    Path out = folder.resolve("rounds");
    int most = Math.max(3, KILLS / 8);
    int kills = kill(this::rounds, whole, out, most, new Random(SEED));
    for (String model : List.of("round-1/model", "round-2/model")) {
      assertThat(hashes(out.resolve(model)))
          .as("%d kills, seed %d", kills, SEED)
          .isEqualTo(hashes(whole.resolve(model)));
      assertThat(hidden(out.resolve(model))).isEmpty();
    }
    assertThat(hidden(out)).isEmpty();
    System.out.printf("%d kills of rounds (seed %d)%n", kills, SEED);
  }

  /** Kills a run until it has ended in spite of that, and returns how often. */
  private int killed(String kind, String name, int most, Random random)
      throws IOException, InterruptedException {
    Path whole = folder.resolve(name + "-whole");
    Path out = folder.resolve(name);
    int kills = kill(target -> training(kind, target), whole, out, most, random);
    assertThat(hashes(out))
        .as("%s after %d kills, seed %d", kind, kills, SEED)
        .isEqualTo(hashes(whole));
    assertThat(steps(out)).as(kind).isEqualTo(steps(whole));
    assertThat(hidden(out)).isEmpty();
    return kills;
  }

  /**
   * Does a run as a whole, and a second one that is killed.
   *
   * @param command words of a command with an output folder; it continues what it finds there
   */
  private static int kill(
      Function<Path, List<String>> command, Path whole, Path out, int most, Random random)
      throws IOException, InterruptedException {
    long started = System.nanoTime();
    Process first = Subprocess.start(logFile(whole), command.apply(whole));
    assertThat(first.waitFor()).as(log(whole)).isZero();
    long millis = TimeUnit.NANOSECONDS.toMillis(System.nanoTime() - started);
    int kills = 0;
    while (true) {
      Process process = Subprocess.start(logFile(out), command.apply(out));
      if (kills < most
          && !process.waitFor((long) (random.nextDouble() * millis), TimeUnit.MILLISECONDS)) {
        process.destroyForcibly().waitFor();
        kills++;
        verifyCheckpoints(out);
        continue;
      }
      assertThat(process.waitFor())
          .as("%s after %d kills: %s", command.apply(out), kills, log(out))
          .isZero();
      return kills;
    }
  }

  private List<String> rounds(Path out) {
    return List.of(
        "rounds",
        "--model=" + EXAMPLES.resolve("tiny-chat"),
        "--prompts_file=" + folder.resolve("prompts.txt"),
        "--output_dir=" + out,
        "--judge=regex",
        "--pattern=^[A-M]",
        "--num_return_sequences=3",
        "--max_new_tokens=8",
        "--rounds=2",
        "--resume",
        "--max_steps=4",
        "--save_steps=1",
        "--sample_prompts=0",
        "--learning_rate=1e-4",
        "--threads=1");
  }

  private List<String> training(String kind, Path out) {
    List<String> words =
        new ArrayList<>(
            List.of(
                "train",
                "--model=" + EXAMPLES.resolve("tiny-chat"),
                "--data_file=" + EXAMPLES.resolve("pairs.jsonl"),
                "--output_dir=" + out,
                "--reference_cache=" + folder.resolve("cache"),
                "--resume_from_checkpoint=true",
                "--max_steps=18",
                "--logging_steps=1",
                "--max_length=96",
                "--per_device_train_batch_size=2",
                "--sample_prompts=0",
                "--learning_rate=1e-3",
                "--threads=1"));
    words.addAll(List.of(kind.split(" ")));
    return words;
  }

  private static Path logFile(Path out) {
    return out.resolveSibling(out.getFileName() + ".log");
  }

  private static String log(Path out) throws IOException {
    return Files.readString(logFile(out));
  }

  private static void verifyCheckpoints(Path out) throws IOException {
    if (Files.isDirectory(out)) {
      try (Stream<Path> entries = Files.list(out)) {
        entries
            .filter(entry -> entry.getFileName().toString().startsWith("checkpoint-"))
            .forEach(CheckpointFolders::verify);
      }
    }
  }

  private static Map<String, String> hashes(Path out) throws IOException {
    Map<String, String> hashes = new TreeMap<>();
    try (Stream<Path> files = Files.list(out)) {
      for (Path file : files.toList()) {
        String name = file.getFileName().toString();
        if (name.endsWith(".safetensors") || name.equals("adapter_config.json")) {
          hashes.put(name, Sha256.of(file));
        }
      }
    }
    assertThat(hashes).isNotEmpty();
    return hashes;
  }

  /** The step of each line of the metrics: none is missing or doubled. */
  private static List<String> steps(Path out) throws IOException {
    return Files.readAllLines(out.resolve("metrics.jsonl")).stream()
        .map(line -> line.replaceAll(".*\"step\":", ""))
        .toList();
  }

  private static List<String> hidden(Path out) throws IOException {
    try (Stream<Path> files = Files.list(out)) {
      return files
          .map(file -> file.getFileName().toString())
          .filter(name -> name.startsWith("."))
          .toList();
    }
  }
}
