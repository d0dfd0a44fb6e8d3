package org.dpo4j.bench;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.dpo4j.DpoException;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** Runs of TRL through a script that trains in file order and writes losses and times. */
final class PeerProgram {

  private static final Pattern PEAK = Pattern.compile("peakRSS MB ([0-9.]+)");
  private static final double MIB = 1 << 20;

  /**
   * How TRL is set; activations are kept, which is faster.
   *
   * @param bf16 whether it computes in bf16, its own default
   * @param precomputed whether the reference is computed before the steps, as here
   */
  record Settings(boolean bf16, boolean precomputed) {

    String label() {
      return "TRL %s, reference %s"
          .formatted(bf16 ? "bf16" : "fp32", precomputed ? "before" : "in the step");
    }
  }

  private final Path python;
  private final Path script;
  private final Path work;

  PeerProgram(Path python, Path script, Path work) {
    this.python = python;
    this.script = script;
    this.work = work;
  }

  Measurement train(Workload load, Settings settings) throws IOException, Tool.Refused {
    Path out = work.resolve("peer.json");
    Files.deleteIfExists(out);
    String printed =
        Tool.run(
            List.of(
                python.toString(),
                script.toString(),
                "--model",
                load.model().toString(),
                "--data",
                load.data().toString(),
                "--bs",
                load.pairs() + "",
                "--steps",
                load.steps() + "",
                "--max_length",
                Workload.MAX_LENGTH + "",
                "--lr",
                Workload.LEARNING_RATE,
                "--bf16",
                settings.bf16() ? "1" : "0",
                "--gc",
                "0",
                "--pre",
                settings.precomputed() ? "1" : "0",
                "--lora",
                load.loraRank() + "",
                "--out",
                out.toString()),
            work.resolve("peer.log"));
    return read(printed, JsonMapper.shared().readTree(Files.readString(out)));
  }

  /**
   * Reads what the script printed and wrote.
   *
   * @param printed has {@code peakRSS MB N} in it
   * @param written {@code times} of the steps, and {@code logs}, of which those of steps have a
   *     {@code loss}
   */
  static Measurement read(String printed, JsonNode written) {
    Matcher peak = PEAK.matcher(printed);
    if (!peak.find()) {
      throw new DpoException("the peer's script must print \"peakRSS MB\" but did not");
    }
    List<Double> times = new ArrayList<>();
    written.get("times").forEach(time -> times.add(time.asDouble()));
    List<Double> losses = new ArrayList<>();
    for (JsonNode log : written.get("logs")) {
      if (log.has("loss")) {
        // Some versions of transformers log numbers as text.
        losses.add(Double.parseDouble(log.get("loss").asString()));
      }
    }
    return new Measurement(
        times, List.of(), losses, Math.round(Double.parseDouble(peak.group(1)) * MIB), 0);
  }
}
