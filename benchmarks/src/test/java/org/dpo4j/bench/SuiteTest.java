package org.dpo4j.bench;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.DisabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/**
 * Closes: a suite that no longer runs, and a ratio of speeds between programs that compute
 * different things. Everything is tiny; nothing is said of times.
 */
@DisabledOnOs(OS.WINDOWS)
class SuiteTest {

  private static final Path ROOT = Path.of("..").toAbsolutePath().normalize();

  private final Path folder;
  private final ByteArrayOutputStream out = new ByteArrayOutputStream();
  private final ByteArrayOutputStream err = new ByteArrayOutputStream();

  SuiteTest(@TempDir Path folder) {
    this.folder = folder;
  }

  @Test
  void aRowIsMeasuredBesideAPeerThatComputesTheSame() throws IOException {
    int code = suite(peer(""), "--only", "tiny-dialogue", "--runs", "2");

    assertThat(text())
        .contains("matrix products in float32")
        .contains("our fp32 and TRL fp32, reference before: losses agree")
        .contains("times as fast as TRL**");
    assertThat(code).isZero();
    assertThat(err.toString(StandardCharsets.UTF_8))
        .contains("tiny-dialogue, round 1 of 2: dpo4j fp32", "round 2 of 2: dpo4j fp32");
    JsonNode row = json().get("cases").get(0);
    assertThat(row.get("losses_agree").asBoolean()).isTrue();
    assertThat(row.get("ratios")).hasSize(2);
    JsonNode own = row.get("programs").get("dpo4j fp32");
    assertThat(own).hasSize(2);
    assertThat(own.get(0).get("stepSeconds")).hasSize(3);
    assertThat(row.get("plans").get("fp32").get("memoryBytes").asLong()).isPositive();
    assertThat(Files.readString(folder.resolve("results/results.md"))).contains("## tiny-dialogue");
  }

  @Test
  void thereIsNoRatioWhereLossesDiffer() throws IOException {
    int code = suite(peer("0.6"), "--only", "tiny-long-lora", "--runs", "1");

    assertThat(text())
        .contains("losses DIFFER", "no ratio: the runs do not compute the same")
        .doesNotContain("times as fast as TRL**");
    assertThat(code).isEqualTo(1);
  }

  /** A row without a figure must not pass for one that was measured. */
  @Test
  void aProgramThatRefusesItsOptionsFailsTheSuite() throws IOException {
    String comma = folder.resolve("a,b").toString(); // two files to train

    int code = suite(List.of(), "--only", "tiny-dialogue", "--output_dir", comma);

    assertThat(text()).contains("error: tiny-dialogue: a program refused its options");
    assertThat(code).isEqualTo(1);
  }

  @Test
  void theHandWrittenEngineIsMeasuredBesideAutograd() throws IOException {
    int code = suite(List.of(), "--only", "engines", "--runs", "2");

    assertThat(text())
        .contains("| tiny-dialogue | cpu |", "| tiny-dialogue | autograd |")
        .contains("tiny-dialogue: losses agree")
        .contains("tiny-dialogue, autograd over cpu, round by round: time ");
    assertThat(code).isZero();
  }

  @Test
  void wrongWordsAreRefused() throws IOException {
    assertThat(suite(List.of(), "--only", "m30-dialog")).isEqualTo(2);
    assertThat(text()).contains("--only must name rows of the suite but m30-dialog is none");
    assertThat(suite(List.of("--peer", "python3"))).isEqualTo(2);
    assertThat(text()).contains("--peer needs --peer_script FILE");
  }

  private int suite(List<String> peer, String... options) throws IOException {
    Path launcher =
        script(
            "dpo4j",
            "exec '%s' -Xmx512m -XX:TieredStopAtLevel=1 -cp '%s' org.dpo4j.cli.Main \"$@\""
                .formatted(
                    Path.of(System.getProperty("java.home"), "bin", "java"),
                    System.getProperty("java.class.path")));
    List<String> all =
        Stream.of(
                List.of("--quick", "--threads", "1", "--launcher", launcher.toString()),
                List.of("--tokenizer", ROOT.resolve("examples/tiny-chat").toString()),
                List.of("--output_dir", folder.resolve("results").toString()),
                peer,
                List.of(options))
            .flatMap(List::stream)
            .toList();
    out.reset();
    return Suite.run(
        new PrintStream(out, true, StandardCharsets.UTF_8),
        new PrintStream(err, true, StandardCharsets.UTF_8),
        all.toArray(String[]::new));
  }

  /**
   * A stand-in for Python with TRL: it gives the losses of our own last run, or others, in the form
   * of the script that runs TRL.
   *
   * @param loss of every step; empty for those of our last run
   */
  private List<String> peer(String loss) throws IOException {
    Path losses = folder.resolve("losses");
    String read =
        loss.isEmpty()
            ? "sed -n 's/.*{.loss.: \\([0-9.]*\\).*/\\1/p' '%s'"
                .formatted(folder.resolve("results").resolve("work").resolve("own-fp32.log"))
            : "printf '%%s\\n' %s %s %s".formatted(loss, loss, loss).replace("%%", "%");
    Path python =
        script(
            "python",
            """
            while [ "$#" -gt 0 ]; do
              if [ "$1" = --out ]; then out=$2; fi
              shift
            done
            %s >'%s'
            {
              printf '{"times": [1.5, 1.0, 1.0], "logs": ['
              sed 's/.*/{"loss": &},/' '%s'
              printf '{"train_runtime": 3}]}'
            } >"$out"
            echo "prep 1 train 2 steps [1.5, 1.0, 1.0] mean(after1) 1.0 peakRSS MB 100.5"
            """
                .formatted(read, losses, losses));
    return List.of("--peer", python.toString(), "--peer_script", "trl_bench.py");
  }

  private Path script(String name, String body) throws IOException {
    Path script = Files.writeString(folder.resolve(name), "#!/bin/sh\n" + body);
    assertThat(script.toFile().setExecutable(true)).isTrue();
    return script;
  }

  private String text() {
    return out.toString(StandardCharsets.UTF_8);
  }

  private JsonNode json() throws IOException {
    return JsonMapper.shared().readTree(Files.readString(folder.resolve("results/results.json")));
  }
}
