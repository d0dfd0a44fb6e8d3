package org.dpo4j.bench;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import org.dpo4j.torch.ElementType;
import tools.jackson.databind.SerializationFeature;
import tools.jackson.databind.json.JsonMapper;

/** All that the suite found, as Markdown for people and as JSON. */
final class Report {

  private static final JsonMapper JSON =
      JsonMapper.builder().enable(SerializationFeature.INDENT_OUTPUT).build();

  private final Map<String, String> machine;
  private final Map<ElementType, Double> peaks = new EnumMap<>(ElementType.class);
  private final int runs;
  private final int steps;
  private final List<CaseResult> cases = new ArrayList<>();
  private final List<Check.Outcome> checks = new ArrayList<>();

  Report(Map<String, String> machine, int runs, int steps) {
    this.machine = machine;
    this.runs = runs;
    this.steps = steps;
  }

  void add(CaseResult result) {
    cases.add(result);
  }

  void add(Check.Outcome outcome) {
    checks.add(outcome);
  }

  /**
   * Notes the speed of matrix products in a type.
   *
   * @param peak floating point operations per second
   */
  void addPeak(ElementType type, double peak) {
    peaks.put(type, peak);
  }

  private String head() {
    StringBuilder text = new StringBuilder(machine());
    peaks.keySet().forEach(type -> text.append(peak(type)));
    return text.append(method()).toString();
  }

  /** The machine and the versions. */
  String machine() {
    StringBuilder text = new StringBuilder("# Measured\n\n");
    machine.forEach((name, value) -> text.append("- %s: %s\n".formatted(name, value)));
    return text.toString();
  }

  /** The speed of matrix products in a type. */
  String peak(ElementType type) {
    return "- matrix products in %s, best of several: %s GFLOP/s\n"
        .formatted(type.torchName(), one(peaks.getOrDefault(type, Double.NaN) / 1e9));
  }

  /** How the rows that follow are measured. */
  String method() {
    return """

    %d runs of each program, alternating, each a process of its own of %d steps; the first step is left out. Seconds are medians over the runs, with least and most. Tokens are counted as TRL does: prompts once for each side. Peak memory is of the whole process. Share of peak: what forward and backward of the policy need (a prompt once for its pair, attention included, head at predicted tokens alone), over the time of a step without optimizer, over the best matrix product.

    """
        .formatted(runs, steps);
  }

  /** The runs of one case. */
  String section(CaseResult result) {
    StringBuilder text = new StringBuilder();
    text.append(
        "## %s\n\n%s pairs a step, %s tokens; useful arithmetic %s GFLOP a step.\n\n"
            .formatted(
                result.wanted.name(),
                one(result.loads.pairsPerStep()),
                "%.0f".formatted(result.loads.tokensPerStep()),
                one(result.loads.arithmeticPerStep() / 1e9)));
    text.append(
        "| program | seconds a step | all runs | pairs/s | tokens/s | share of peak | peak memory |"
            + " reference, s |\n|---|---|---|---|---|---|---|---|\n");
    result
        .own()
        .forEach(
            (bf16, own) ->
                text.append(
                    row(
                        "dpo4j " + Case.type(bf16),
                        result,
                        result.ownStep(own),
                        own,
                        percent(share(result, bf16, own)))));
    result
        .peers()
        .forEach(
            (settings, theirs) ->
                text.append(
                    row(
                        settings.label(),
                        result,
                        new Spread(theirs.stream().map(Measurement::step).toList()),
                        theirs,
                        "")));
    text.append('\n');
    result.notes.forEach(note -> text.append("- ").append(note).append('\n'));
    bf16Gain(result).ifPresent(gain -> text.append("- bf16 against our own fp32: " + gain + "\n"));
    if (result.wanted.referenceCounts()) {
      text.append("- our seconds have the step's share of the reference in them, as TRL's have\n");
    }
    result.ratio().ifPresent(ratio -> text.append("- ").append(ratio(result, ratio)).append('\n'));
    return text.append('\n').toString();
  }

  private static String ratio(CaseResult result, Spread ratio) {
    return result.agrees
        ? "**%s times as fast as TRL**; all rounds %s"
            .formatted(ratio.text(Report::one), ratio.all(Report::one))
        : "no ratio: the runs do not compute the same";
  }

  private String row(
      String program, CaseResult result, Spread seconds, List<Measurement> runs, String share) {
    double step = seconds.median();
    return "| %s | %s | %s | %s | %s | %s | %s | %s |\n"
        .formatted(
            program,
            seconds.text(Report::three),
            seconds.all(Report::three),
            one(result.loads.pairsPerStep() / step),
            "%.0f".formatted(result.loads.tokensPerStep() / step),
            share,
            megabytes(peakMemory(runs)),
            two(runs.get(0).referenceSeconds()));
  }

  private static long peakMemory(List<Measurement> runs) {
    return runs.stream().mapToLong(Measurement::peakBytes).max().orElse(0);
  }

  private double share(CaseResult result, boolean bf16, List<Measurement> runs) {
    double compute = new Spread(runs.stream().map(Measurement::compute).toList()).median();
    double peak = peaks.getOrDefault(bf16 ? ElementType.BF16 : ElementType.F32, Double.NaN);
    return result.loads.arithmeticPerStep() / compute / peak;
  }

  private static Optional<String> bf16Gain(CaseResult result) {
    List<Measurement> fp32 = result.own().getOrDefault(false, List.of());
    List<Measurement> bf16 = result.own().getOrDefault(true, List.of());
    return fp32.isEmpty() || bf16.isEmpty()
        ? Optional.empty()
        : Optional.of(
            two(result.ownStep(fp32).median() / result.ownStep(bf16).median()) + " times");
  }

  /** What a check found. */
  String section(Check.Outcome outcome) {
    StringBuilder text =
        new StringBuilder(
            "## %s\n\n%s\n\n".formatted(outcome.title, String.join("\n", outcome.rows)));
    outcome.notes.forEach(note -> text.append(note).append('\n'));
    return (outcome.notes.isEmpty() ? text : text.append('\n')).toString();
  }

  /** What was to be reached, and what was. */
  String targets() {
    List<Target> targets = new ArrayList<>();
    cases.forEach(result -> targets.addAll(targets(result)));
    checks.forEach(outcome -> targets.addAll(outcome.targets));
    if (targets.isEmpty()) {
      return "";
    }
    StringBuilder text =
        new StringBuilder("## Targets\n\n| what | wanted | measured | |\n|---|---|---|---|\n");
    targets.forEach(
        target ->
            text.append(
                "| %s | %s | %s | %s |\n"
                    .formatted(
                        target.what(),
                        target.wanted(),
                        target.measured(),
                        target.reached() ? "reached" : "missed")));
    return text.append('\n').toString();
  }

  private List<Target> targets(CaseResult result) {
    Case wanted = result.wanted;
    List<Target> targets = new ArrayList<>();
    if (wanted.target() > 0 && result.agrees) {
      result
          .ratio()
          .ifPresent(
              ratio ->
                  targets.add(
                      new Target(
                          wanted.name() + ", TRL's time over ours",
                          "at least " + one(wanted.target()),
                          ratio.text(Report::one),
                          ratio.median() >= wanted.target())));
    }
    result
        .own()
        .forEach(
            (bf16, own) -> {
              String name = wanted.name() + " " + Case.type(bf16);
              if (wanted.shareTarget(bf16) > 0) {
                double share = share(result, bf16, own);
                targets.add(
                    new Target(
                        name + ", share of peak",
                        "at least " + percent(wanted.shareTarget(bf16)),
                        percent(share),
                        share >= wanted.shareTarget(bf16)));
              }
              if (Double.isFinite(wanted.memoryTarget())) {
                long memory = peakMemory(own);
                targets.add(
                    new Target(
                        name + ", peak memory",
                        "at most " + megabytes((long) wanted.memoryTarget()),
                        megabytes(memory),
                        memory > 0 && memory <= wanted.memoryTarget()));
              }
            });
    targets.addAll(planTargets(result));
    return targets;
  }

  private List<Target> planTargets(CaseResult result) {
    List<Target> targets = new ArrayList<>();
    result
        .plans()
        .forEach(
            (bf16, plan) -> {
              List<Measurement> own = result.own().getOrDefault(bf16, List.of());
              String name = result.wanted.name() + " " + Case.type(bf16) + ", plan of ";
              long memory = peakMemory(own);
              if (memory > 0) {
                double off = (double) plan.memoryBytes() / memory - 1;
                targets.add(
                    new Target(
                        name + "memory",
                        "within 15 % of " + megabytes(memory),
                        "%s (%+.0f %%)".formatted(megabytes(plan.memoryBytes()), 100 * off),
                        Math.abs(off) <= 0.15));
              }
              double step = new Spread(own.stream().map(Measurement::step).toList()).median();
              double off = plan.stepSeconds() / step - 1;
              targets.add(
                  new Target(
                      name + "a step",
                      "within 25 % of " + three(step) + " s",
                      "%s s (%+.0f %%)".formatted(three(plan.stepSeconds()), 100 * off),
                      Math.abs(off) <= 0.25));
            });
    return targets;
  }

  /** Writes {@code results.md} and {@code results.json}. */
  void write(Path folder) throws IOException {
    StringBuilder text = new StringBuilder(head());
    cases.forEach(result -> text.append(section(result)));
    checks.forEach(outcome -> text.append(section(outcome)));
    text.append(targets());
    Files.writeString(folder.resolve("results.md"), text);
    Files.writeString(folder.resolve("results.json"), JSON.writeValueAsString(json()) + "\n");
  }

  private Map<String, Object> json() {
    Map<String, Object> all = new LinkedHashMap<>();
    all.put("machine", machine);
    Map<String, Object> measuredPeaks = new LinkedHashMap<>();
    peaks.forEach((type, peak) -> measuredPeaks.put(type.torchName(), peak));
    all.put("peak_flops_per_second", measuredPeaks);
    all.put("cases", cases.stream().map(this::json).toList());
    all.put(
        "checks",
        checks.stream()
            .map(check -> Map.of("title", check.title, "rows", check.rows, "notes", check.notes))
            .toList());
    return all;
  }

  private Map<String, Object> json(CaseResult result) {
    Map<String, Object> values = new LinkedHashMap<>();
    values.put("name", result.wanted.name());
    values.put("losses_agree", result.agrees);
    values.put("pairs_per_step", result.loads.pairsPerStep());
    values.put("tokens_per_step", result.loads.tokensPerStep());
    values.put("flops_per_step", result.loads.arithmeticPerStep());
    Map<String, Object> programs = new LinkedHashMap<>();
    result.own().forEach((bf16, own) -> programs.put("dpo4j " + Case.type(bf16), own));
    result.peers().forEach((settings, theirs) -> programs.put(settings.label(), theirs));
    values.put("programs", programs);
    Map<String, Object> plans = new LinkedHashMap<>();
    result.plans().forEach((bf16, plan) -> plans.put(Case.type(bf16), plan));
    values.put("plans", plans);
    values.put("notes", result.notes);
    result.ratio().ifPresent(ratio -> values.put("ratios", ratio.values()));
    return values;
  }

  static String megabytes(long bytes) {
    return bytes == 0 ? "" : String.format(Locale.ROOT, "%.0f MB", bytes / 1e6);
  }

  private static String percent(double share) {
    return String.format(Locale.ROOT, "%.0f %%", 100 * share);
  }

  static String one(double value) {
    return String.format(Locale.ROOT, "%.1f", value);
  }

  static String two(double value) {
    return String.format(Locale.ROOT, "%.2f", value);
  }

  static String three(double value) {
    return String.format(Locale.ROOT, "%.3f", value);
  }
}
