package org.dpo4j.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** Training by several processes, started as a launcher does. */
class RanksTest {

  private static final Path EXAMPLES = Path.of("..", "examples");
  private static final JsonMapper JSON = new JsonMapper();
  private static final String TWO_EACH =
      "--per_device_train_batch_size=2 --gradient_accumulation_steps=1 ";
  private static final String FOUR = "--per_device_train_batch_size=4 ";

  private final Path folder;

  RanksTest(@TempDir Path folder) {
    this.folder = folder;
  }

  @ParameterizedTest
  @CsvSource({
    "'--eval_split 8 --eval_strategy steps --eval_steps 3 --loss_type nca_pair,sft --ld_alpha 0.5'",
    "'--use_peft --lora_r 4 --disable_dropout false --lora_dropout 0.3 --learning_rate 1e-3'",
    "'--sync_ref_model --ref_model_sync_steps 2'",
  })
  void theNumbersAreThoseOfOneProcess(String kind) throws IOException, InterruptedException {
    Path one = folder.resolve("one");
    Path two = folder.resolve("two");
    String options = kind + " --max_steps 4 --reference_cache off ";
    // Dropout masks belong to a place in a micro-batch, so both have the same micro-batches.
    run(one, 1, "--per_device_train_batch_size=2 --gradient_accumulation_steps=2 " + options);
    run(two, 2, TWO_EACH + options);
    requireSameNumbers(two, one);
    assertThat(names(two)).isEqualTo(names(one));
    assertThat(temporaryFolders()).isEmpty();
  }

  /** The last step of an epoch has fewer examples than there are ranks. */
  @Test
  void aRankMayHaveNoPartInASmallStep() throws IOException, InterruptedException {
    Path one = folder.resolve("one");
    Path three = folder.resolve("three");
    String options = "--max_samples=7 --max_steps=3 ";
    run(one, 1, "--per_device_train_batch_size=2 --gradient_accumulation_steps=3 " + options);
    run(three, 3, TWO_EACH + options);
    requireSameNumbers(three, one);
  }

  @Test
  void aRunContinuesWithAnotherNumberOfRanks() throws IOException, InterruptedException {
    Path whole = folder.resolve("whole");
    Path out = folder.resolve("out");
    String options = "--save_steps=1 --save_total_limit=0 ";
    run(whole, 1, FOUR + options + "--max_steps=4 --lr_scheduler_type=constant");
    run(out, 2, TWO_EACH + options + "--max_steps=2 --lr_scheduler_type=constant");
    String rest = options + "--lr_scheduler_type=constant --resume_from_checkpoint=true ";
    String log = run(out, 4, "--per_device_train_batch_size=1 " + rest + "--max_steps=3");
    assertThat(log).contains("2 ranks trained together and now 4");
    assertThat(fail(out, 2, "--per_device_train_batch_size=1 " + rest + "--max_steps=4"))
        .contains("x ranks must be the 4 examples that a step had but is 1 x 1 x 2");
    run(out, 1, FOUR + rest + "--max_steps=4");
    requireSameNumbers(out, whole);
  }

  @Test
  void aRankThatDiesEndsTheOthersAndTheRunContinues() throws IOException, InterruptedException {
    Path whole = folder.resolve("whole");
    Path out = folder.resolve("out");
    String options = TWO_EACH + "--save_steps=1 --max_steps=9 --resume_from_checkpoint=true";
    run(whole, 2, options);
    List<Process> ranks = start(out, 2, options);
    try {
      while (ranks.get(0).isAlive() && !Files.isDirectory(out.resolve("checkpoint-2"))) {
        Thread.sleep(20);
      }
      ranks.get(1).destroyForcibly();
      assertThat(ranks.get(0).waitFor(1, TimeUnit.MINUTES)).isTrue();
      assertThat(ranks.get(0).exitValue()).as(log(out, 0)).isEqualTo(1);
      assertThat(log(out, 0)).contains("rank 0 of 2: another rank is gone");
    } finally {
      ranks.forEach(Process::destroyForcibly);
    }
    run(out, 2, options);
    requireSameNumbers(out, whole);
  }

  /** The sums would be the same on all ranks, and so would the weights, which nobody wants. */
  @Test
  void ranksWithOtherOptionsOrDataAreRefused() throws IOException, InterruptedException {
    Path out = folder.resolve("out");
    int port = freePort();
    Process first = process(out, variables(port, 0, 2), logFile(out, 0), TWO_EACH);
    Process second =
        process(
            out, variables(port, 1, 2), logFile(out, 1), TWO_EACH + "--beta=0.2 --max_samples=9");
    assertThat(second.waitFor()).isEqualTo(1);
    assertThat(first.waitFor()).isEqualTo(1);
    assertThat(log(out, 1))
        .contains("but here the options, the training data differ from those of rank 0");
    assertThat(log(out, 0)).contains("another rank has others");
  }

  @Test
  void aVariableThatIsMissingIsAUsageError() throws IOException, InterruptedException {
    Path out = folder.resolve("out");
    Process process =
        process(out, Map.of("WORLD_SIZE", "2", "RANK", "0"), folder.resolve("log"), FOUR);
    assertThat(process.waitFor()).isEqualTo(2);
    assertThat(Files.readString(folder.resolve("log")))
        .contains("error: the environment variable MASTER_PORT must be a number");
    assertThat(out).doesNotExist();
  }

  private void requireSameNumbers(Path found, Path expected) throws IOException {
    List<JsonNode> steps = metrics(expected);
    List<JsonNode> others = metrics(found);
    assertThat(others).hasSameSizeAs(steps);
    for (int i = 0; i < steps.size(); i++) {
      for (String name :
          List.of("loss", "eval_loss", "rewards/margins", "logps/chosen", "entropy", "epoch")) {
        if (steps.get(i).has(name)) {
          double value = steps.get(i).get(name).asDouble();
          assertThat(others.get(i).get(name).asDouble())
              .as("%s of line %d", name, i)
              .isCloseTo(value, within(1e-5 * Math.max(1, Math.abs(value))));
        }
      }
      assertThat(others.get(i).path("num_tokens")).isEqualTo(steps.get(i).path("num_tokens"));
    }
  }

  /** The last line of a step, since a run that was continued has logged some again. */
  private static List<JsonNode> metrics(Path out) throws IOException {
    List<JsonNode> lines = new ArrayList<>();
    for (JsonNode entry :
        JSON.readTree(Files.readString(out.resolve("trainer_state.json"))).get("log_history")) {
      if (entry.has("loss") || entry.has("eval_loss")) {
        lines.add(entry);
      }
    }
    return lines;
  }

  /** Runs all ranks to their end, and returns the log of rank 0. */
  private String run(Path out, int size, String options) throws IOException, InterruptedException {
    List<Process> ranks = start(out, size, options);
    for (int rank = 0; rank < size; rank++) {
      assertThat(ranks.get(rank).waitFor()).as(log(out, rank)).isZero();
    }
    return log(out, 0);
  }

  /** Runs ranks that all fail because of their options, and returns the log of rank 0. */
  private String fail(Path out, int size, String options) throws IOException, InterruptedException {
    List<Process> ranks = start(out, size, options);
    for (Process rank : ranks) {
      assertThat(rank.waitFor()).isNotZero();
    }
    return log(out, 0);
  }

  private List<Process> start(Path out, int size, String options) throws IOException {
    int port = freePort();
    List<Process> ranks = new ArrayList<>();
    for (int rank = 0; rank < size; rank++) {
      ranks.add(process(out, variables(port, rank, size), logFile(out, rank), options));
    }
    return ranks;
  }

  private static Map<String, String> variables(int port, int rank, int size) {
    return Map.of(
        "MASTER_ADDR",
        InetAddress.getLoopbackAddress().getHostAddress(),
        "MASTER_PORT",
        Integer.toString(port),
        "RANK",
        Integer.toString(rank),
        "WORLD_SIZE",
        Integer.toString(size));
  }

  private Process process(Path out, Map<String, String> variables, Path log, String options)
      throws IOException {
    List<String> words =
        new ArrayList<>(
            List.of(
                "train",
                "--model=" + EXAMPLES.resolve("tiny-chat"),
                "--data_file=" + EXAMPLES.resolve("pairs.jsonl"),
                "--output_dir=" + out,
                "--logging_steps=1",
                "--sample_prompts=0",
                "--threads=1",
                "--ddp_timeout=120"));
    words.addAll(List.of(options.strip().split(" +")));
    ProcessBuilder builder = Subprocess.of(log, List.of("-Djava.io.tmpdir=" + temporary()), words);
    builder.environment().putAll(variables);
    return builder.start();
  }

  private Path temporary() throws IOException {
    return Files.createDirectories(folder.resolve("tmp"));
  }

  private List<Path> temporaryFolders() throws IOException {
    try (Stream<Path> entries = Files.list(temporary())) {
      return entries.filter(Files::isDirectory).filter(RanksTest::isOfARank).toList();
    }
  }

  private static boolean isOfARank(Path entry) {
    return entry.getFileName().toString().startsWith("dpo4j-rank");
  }

  private static List<String> names(Path out) throws IOException {
    try (Stream<Path> entries = Files.list(out)) {
      return entries.map(entry -> entry.getFileName().toString()).sorted().toList();
    }
  }

  private static Path logFile(Path out, int rank) {
    return out.resolveSibling(out.getFileName() + "-rank" + rank + ".log");
  }

  private static String log(Path out, int rank) throws IOException {
    return Files.readString(logFile(out, rank));
  }

  private static int freePort() throws IOException {
    try (ServerSocket socket = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
      return socket.getLocalPort();
    }
  }
}
