package org.dpo4j.bench;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.function.ToDoubleFunction;
import java.util.stream.IntStream;
import org.dpo4j.DpoException;

/** A property of whole runs that is not a comparison of steps. */
enum Check {
  MEMORY("memory", "Peak memory over steps and pairs") {
    @Override
    Outcome run(Suite suite, Outcome outcome) throws IOException, Tool.Refused {
      int few = suite.config().quick() ? 4 : 100;
      Path hundred = repeated(suite, few, 1);
      Path thousand = repeated(suite, few, 10);
      outcome.row("pairs | steps | peak memory");
      outcome.row("---|---|---");
      List<Long> peaks = new ArrayList<>();
      for (int[] run : new int[][] {{1, 1}, {1, 10}, {10, 10}}) {
        Path data = run[0] == 1 ? hundred : thousand;
        Measurement measured = suite.own().train(workload(suite, data, 1, few * run[1]), false);
        peaks.add(measured.peakBytes());
        outcome.row(
            "%d | %d | %s"
                .formatted(few * run[0], few * run[1], Report.megabytes(measured.peakBytes())));
      }
      double growth = (double) peaks.stream().mapToLong(x -> x).max().orElse(0) / peaks.get(0) - 1;
      outcome.target(
          "peak memory with ten times the steps, and with ten times the pairs",
          "at most 5 % more",
          String.format(Locale.ROOT, "%+.1f %%", 100 * growth),
          growth <= 0.05);
      return outcome;
    }
  },

  TOKENS("tokens", "Time over pairs") {
    private static final int PAIRS = 10;

    @Override
    Outcome run(Suite suite, Outcome outcome) throws IOException, Tool.Refused {
      outcome.row(
          "pairs | steps | seconds of all steps | a step, median | reference, seconds | whole run");
      outcome.row("---|---|---|---|---|---");
      List<Double> each = new ArrayList<>();
      for (int times : suite.config().quick() ? new int[] {1, 2} : new int[] {1, 10, 100}) {
        Path data = repeated(suite, PAIRS, times);
        int steps = PAIRS * times / 2;
        Measurement measured = suite.own().train(workload(suite, data, 2, steps), false);
        double all = measured.stepSeconds().stream().mapToDouble(x -> x).sum();
        double step = new Spread(measured.stepSeconds()).median(); // a short run is all warm-up
        each.add(step);
        outcome.row(
            String.format(
                Locale.ROOT,
                "%d | %d | %.2f | %.4f | %.2f | %.2f",
                PAIRS * times,
                steps,
                all,
                step,
                measured.referenceSeconds(),
                all + measured.referenceSeconds()));
      }
      double ratio = each.get(each.size() - 1) / each.get(0);
      outcome.target(
          "seconds a step of many pairs against few",
          "within 15 %",
          String.format(Locale.ROOT, "%+.1f %%", 100 * (ratio - 1)),
          Math.abs(ratio - 1) <= 0.15);
      return outcome;
    }
  },

  /** What the hand-written passes bring: the same program and batches by autograd. */
  ENGINES("engines", "The hand-written engine beside autograd") {
    @Override
    Outcome run(Suite suite, Outcome outcome) throws IOException, Tool.Refused {
      outcome.row(
          "row | engine | seconds a step | all runs | reference, seconds | peak memory, all runs");
      outcome.row("---|---|---|---|---|---");
      for (Case each : Case.fullTraining(suite.config().quick())) {
        Workload load = suite.workload(each);
        Map<String, List<Measurement>> runs = new LinkedHashMap<>();
        for (int round = 0; round < suite.runs(); round++) {
          for (String engine : List.of("cpu", "autograd")) {
            runs.computeIfAbsent(engine, name -> new ArrayList<>())
                .add(
                    suite
                        .own()
                        .train(
                            load, false, List.of("--reference_cache", "off", "--engine", engine)));
          }
        }
        runs.forEach((engine, measured) -> outcome.row(cells(each, engine, measured)));
        ratios(outcome, each.name(), runs);
      }
      return outcome;
    }

    private String cells(Case row, String engine, List<Measurement> runs) {
      Spread seconds = new Spread(runs.stream().map(Measurement::step).toList());
      return "%s | %s | %s | %s | %s | %s"
          .formatted(
              row.name(),
              engine,
              seconds.text(Report::three),
              seconds.all(Report::three),
              new Spread(runs.stream().map(Measurement::referenceSeconds).toList())
                  .text(Report::two),
              new Spread(runs.stream().map(run -> (double) run.peakBytes()).toList())
                  .all(bytes -> Report.megabytes((long) bytes)));
    }

    private void ratios(Outcome outcome, String row, Map<String, List<Measurement>> runs) {
      List<Measurement> cpu = Objects.requireNonNull(runs.get("cpu"));
      List<Measurement> autograd = Objects.requireNonNull(runs.get("autograd"));
      Agreement agreement =
          Agreement.of(cpu.get(0).losses(), autograd.get(0).losses(), Agreement.FP32);
      outcome.note("%s: %s".formatted(row, agreement));
      outcome.agree(agreement.holds());
      outcome.note(
          "%s, autograd over cpu, round by round: time %s; peak memory %s"
              .formatted(
                  row,
                  ratio(cpu, autograd, Measurement::step),
                  ratio(cpu, autograd, Measurement::peakBytes)));
    }

    private String ratio(
        List<Measurement> cpu, List<Measurement> autograd, ToDoubleFunction<Measurement> figure) {
      return new Spread(
              IntStream.range(0, cpu.size())
                  .mapToObj(
                      i -> figure.applyAsDouble(autograd.get(i)) / figure.applyAsDouble(cpu.get(i)))
                  .toList())
          .text(Report::two);
    }
  },

  REFERENCE("reference", "The reference of a second run") {
    @Override
    Outcome run(Suite suite, Outcome outcome) throws IOException, Tool.Refused {
      Path data = repeated(suite, suite.config().quick() ? 4 : 200, 1);
      outcome.row("run | reference, seconds");
      outcome.row("---|---");
      double seconds = 0;
      for (int run = 1; run <= 2; run++) {
        seconds =
            suite
                .own()
                .train(
                    workload(suite, data, 2, 1),
                    false,
                    List.of("--reference_cache", data + ".cache"))
                .referenceSeconds();
        outcome.row(String.format(Locale.ROOT, "%d | %.3f", run, seconds));
      }
      outcome.target(
          "reference phase of a second run",
          "below 1 s",
          String.format(Locale.ROOT, "%.3f s", seconds),
          seconds < 1);
      return outcome;
    }
  },

  DEMO("demo", "The demo") {
    @Override
    Outcome run(Suite suite, Outcome outcome) throws IOException, Tool.Refused {
      List<String> ours =
          new ArrayList<>(List.of(suite.config().launcher().toAbsolutePath().toString(), "demo"));
      if (suite.config().quick()) {
        ours.addAll(List.of("--steps", "2"));
      }
      Optional<List<String>> theirs =
          suite
              .config()
              .peer()
              .flatMap(
                  python ->
                      suite
                          .config()
                          .peerDemo()
                          .map(script -> List.of(python.toString(), script.toString())));
      List<Double> own = new ArrayList<>();
      List<Double> peer = new ArrayList<>();
      List<Double> ratios = new ArrayList<>();
      for (int run = 0; run <= suite.runs(); run++) { // the first warms up
        double mine = seconds(ours, suite.work().resolve("demo.log"));
        double other =
            theirs.isPresent()
                ? seconds(theirs.get(), suite.work().resolve("demo-peer.log"))
                : Double.NaN;
        if (run > 0) {
          own.add(mine);
          peer.add(other);
          ratios.add(mine / other);
        }
      }
      outcome.row("program | seconds, median (least to most) | all runs");
      outcome.row("---|---|---");
      outcome.row("dpo4j demo | " + cells(own));
      if (theirs.isPresent()) {
        outcome.row("in PyTorch | " + cells(peer));
        double ratio = new Spread(ratios).median();
        outcome.target(
            "the demo's time, of that in PyTorch",
            "at most 1/3",
            new Spread(ratios).text(Report::two),
            ratio <= 1.0 / 3);
      }
      return outcome;
    }

    private String cells(List<Double> seconds) {
      Spread spread = new Spread(seconds);
      return spread.text(Report::two) + " | " + spread.all(Report::two);
    }
  };

  /** What a check found. */
  static final class Outcome {
    final String title;
    final List<String> rows = new ArrayList<>();
    final List<String> notes = new ArrayList<>();
    final List<Target> targets = new ArrayList<>();
    private boolean ran = true;

    Outcome(String title) {
      this.title = title;
    }

    void row(String cells) {
      rows.add("| " + cells.replace("---", " --- ").strip() + " |");
    }

    /** A sentence below the table. */
    void note(String sentence) {
      notes.add("- " + sentence);
    }

    /** Fails the outcome where programs that were to compute the same do not. */
    void agree(boolean agreed) {
      ran &= agreed;
    }

    void target(String what, String wanted, String measured, boolean reached) {
      targets.add(new Target(what, wanted, measured, reached));
    }

    /** Whether it could be measured, of programs that compute the same. */
    boolean ran() {
      return ran;
    }
  }

  private final String label;
  private final String title;

  Check(String label, String title) {
    this.label = label;
    this.title = title;
  }

  static List<Check> all() {
    return List.of(values());
  }

  String label() {
    return label;
  }

  abstract Outcome run(Suite suite, Outcome outcome) throws IOException, Tool.Refused;

  /** Runs it; a failure is part of the outcome. */
  Outcome run(Suite suite) throws IOException {
    Outcome outcome = new Outcome(title);
    try {
      return run(suite, outcome);
    } catch (Tool.Refused | DpoException e) {
      outcome.ran = false;
      outcome.rows.add("");
      outcome.rows.add("failed: " + e.getMessage());
      return outcome;
    }
  }

  private static Workload workload(Suite suite, Path data, int pairs, int steps)
      throws IOException {
    return new Workload(suite.model(suite.smallModel()), data, pairs, steps, 0);
  }

  /** The first dialogues, concatenated, several times. */
  private static Path repeated(Suite suite, int rows, int times) throws IOException {
    Path head =
        BenchData.head(
            suite.data(BenchData.DIALOGUE),
            rows,
            suite.model(suite.smallModel()),
            suite.work().resolve("head-" + rows + ".jsonl"));
    Path target = suite.work().resolve("head-%d-x%d.jsonl".formatted(rows, times));
    Files.writeString(target, Files.readString(head).repeat(times));
    return target;
  }

  private static double seconds(List<String> command, Path log) throws IOException, Tool.Refused {
    long started = System.nanoTime();
    Tool.run(command, log);
    return (System.nanoTime() - started) / 1e9;
  }
}
