package org.dpo4j.bench;

import java.io.IOException;
import java.io.PrintStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.function.Function;
import org.dpo4j.DpoException;
import org.dpo4j.UsageException;
import org.dpo4j.options.GivenValue;
import org.dpo4j.plan.MatrixPeak;
import org.dpo4j.torch.ElementType;
import org.dpo4j.torch.Engine;
import org.dpo4j.weights.ModelBlueprint;

/**
 * Measures training from end to end. Every run is a process of its own; rounds alternate between
 * ours and the peer's. Exit codes: 0 measured, 1 a run failed or losses differ, 2 wrong options.
 */
public final class Suite {

  private static final int QUICK_STEPS = 3;
  private static final int INVENTED_PAIRS = 500;
  private static final int LARGEST_PRODUCT = 4096;

  private final SuiteConfig config;
  private final PrintStream out;
  private final PrintStream err;
  private final Path work;
  private final OwnProgram own;
  private final Optional<PeerProgram> peer;

  private Suite(SuiteConfig config, PrintStream out, PrintStream err) throws IOException {
    this.config = config;
    this.out = out;
    this.err = err;
    this.work = Files.createDirectories(config.outputDir().resolve("work")).toAbsolutePath();
    this.own = new OwnProgram(config.launcher(), work, config.threads());
    this.peer = peer(config, work);
  }

  private static Optional<PeerProgram> peer(SuiteConfig config, Path work) {
    if (config.peer().isPresent() && config.peerScript().isEmpty()) {
      throw new UsageException("--peer needs --peer_script FILE, the script that trains with TRL");
    }
    return config.peer().map(p -> new PeerProgram(p, config.peerScript().orElseThrow(), work));
  }

  public static void main(String[] args) throws IOException {
    Locale.setDefault(Locale.ROOT);
    System.exit(run(System.out, System.err, args));
  }

  /**
   * Runs the suite and returns its exit code.
   *
   * @param out takes each part of the report as soon as it is measured
   * @param err takes a line for each run that starts
   */
  static int run(PrintStream out, PrintStream err, String... args) throws IOException {
    try {
      return new Suite(SuiteConfig.OPTIONS.read(given(args)), out, err).run() ? 0 : 1;
    } catch (UsageException e) {
      out.println("error: " + e.getMessage());
      return 2;
    } catch (DpoException e) {
      out.println("error: " + e.getMessage());
      return 1;
    }
  }

  /** {@code --name value}, or {@code --name} alone for true. */
  private static Map<String, GivenValue> given(String... args) {
    Map<String, GivenValue> given = new LinkedHashMap<>();
    for (int i = 0; i < args.length; i++) {
      if (!args[i].startsWith("--")) {
        throw new UsageException("options begin with -- but there is " + args[i]);
      }
      boolean alone = i + 1 == args.length || args[i + 1].startsWith("--");
      String name = args[i].substring(2).replace('-', '_');
      given.put(name, GivenValue.of(alone ? "true" : args[++i]));
    }
    return given;
  }

  private boolean run() throws IOException {
    List<Case> cases = chosen(Case.all(config.quick()), Case::name);
    List<Check> checks = chosen(Check.all(), Check::label);
    if (config.list()) {
      Case.all(config.quick()).forEach(each -> out.println(each.name()));
      Check.all().forEach(each -> out.println(each.label()));
      return true;
    }
    requireNames();
    Engine.setThreads(config.threads());
    Map<String, String> machine = Machine.describe(work);
    Report report = new Report(machine, runs(), steps());
    out.print(report.machine());
    for (ElementType type : measuredTypes()) {
      report.addPeak(type, MatrixPeak.measure(type, LARGEST_PRODUCT, calibrationSeconds()));
      out.print(report.peak(type));
    }
    out.print(report.method());
    boolean good = true;
    for (Case each : cases) {
      CaseResult result = measure(each);
      good &= result.agrees;
      report.add(result);
      out.print(report.section(result));
      report.write(config.outputDir());
    }
    for (Check check : checks) {
      Check.Outcome outcome = check.run(this);
      good &= outcome.ran();
      report.add(outcome);
      out.print(report.section(outcome));
      report.write(config.outputDir());
    }
    out.print(report.targets());
    report.write(config.outputDir());
    out.println("written to " + config.outputDir().resolve("results.md"));
    return good;
  }

  private <T> List<T> chosen(List<T> all, Function<T, String> name) {
    return all.stream()
        .filter(each -> config.only().map(only -> only.contains(name.apply(each))).orElse(true))
        .toList();
  }

  private void requireNames() {
    List<String> names =
        new ArrayList<>(Case.all(config.quick()).stream().map(Case::name).toList());
    Check.all().forEach(check -> names.add(check.label()));
    for (String name : config.only().orElse(List.of())) {
      if (!names.contains(name)) {
        throw new UsageException(
            "--only must name rows of the suite but %s is none; there are %s"
                .formatted(name, String.join(", ", names)));
      }
    }
  }

  /** bf16 only where the engine computes in it: elsewhere one product can take minutes. */
  private static List<ElementType> measuredTypes() {
    return Engine.bf16IsFast()
        ? List.of(ElementType.F32, ElementType.BF16)
        : List.of(ElementType.F32);
  }

  private double calibrationSeconds() {
    return config.quick() ? 0.5 : 10;
  }

  private CaseResult measure(Case wanted) throws IOException {
    Workload load = workload(wanted);
    CaseResult result = new CaseResult(wanted, Loads.of(load));
    List<PeerProgram.Settings> peers =
        new ArrayList<>(peer.isPresent() ? wanted.peers() : List.of());
    List<Boolean> computations =
        wanted.bf16().stream().filter(bf16 -> !bf16 || Engine.bf16IsFast()).toList();
    if (computations.size() < wanted.bf16().size()) {
      result.notes.add(
          "no row of bf16: its products are slower on this processor, so --bf16 computes in fp32");
    }
    try {
      for (int round = 0; round < runs(); round++) {
        for (boolean bf16 : computations) {
          progress(wanted, round, "dpo4j " + Case.type(bf16));
          result.addOwn(bf16, own.train(load, bf16));
        }
        for (PeerProgram.Settings settings : List.copyOf(peers)) {
          progress(wanted, round, settings.label());
          result.addPeer(settings, peer.orElseThrow().train(load, settings));
        }
        result.fastestPeer().ifPresent(fastest -> peers.retainAll(List.of(fastest)));
      }
      for (boolean bf16 : computations) {
        result.addPlan(bf16, own.plan(load, bf16));
      }
    } catch (Tool.Refused e) {
      // A row without a figure would look like one that was measured.
      throw new DpoException(
          "%s: a program refused its options: %s".formatted(wanted.name(), e.getMessage()), e);
    }
    result.compareLosses();
    return result;
  }

  private void progress(Case row, int round, String program) {
    err.printf("%s, round %d of %d: %s%n", row.name(), round + 1, runs(), program);
  }

  int runs() {
    return config.quick() ? Math.min(2, config.runs()) : config.runs();
  }

  int steps() {
    return config.quick() ? QUICK_STEPS : config.steps();
  }

  SuiteConfig config() {
    return config;
  }

  OwnProgram own() {
    return own;
  }

  Path work() {
    return work;
  }

  /** The model that checks use. */
  BenchModel smallModel() {
    return config.quick() ? BenchModel.TINY : BenchModel.M30;
  }

  Workload workload(Case wanted) throws IOException {
    int pairs = wanted.model().pairs(wanted.data());
    Path rows = data(wanted.data());
    Path model = model(wanted.model());
    Path data =
        BenchData.head(
            rows, pairs * steps(), model, work.resolve(wanted.data().label() + ".jsonl"));
    return new Workload(model, data, pairs, steps(), wanted.lora() ? Case.RANK : 0);
  }

  Path model(BenchModel model) throws IOException {
    Optional<Path> given = config.modelDir().map(folder -> folder.resolve(model.label()));
    if (given.isPresent() && model != BenchModel.TINY) {
      ModelBlueprint.read("--model_dir", given.get());
      return given.get().toAbsolutePath();
    }
    return model.write(work.resolve(model.label()), config.tokenizer());
  }

  Path data(BenchData data) {
    Optional<Path> given = data == BenchData.DIALOGUE ? config.dialogue() : config.longAnswers();
    return given.orElseGet(
        () -> data.invent(work.resolve("invented-" + data.label() + ".jsonl"), INVENTED_PAIRS));
  }
}
