package org.dpo4j.bench;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.IntStream;

/** What the runs of one case showed, by program, and whether their losses agree. */
final class CaseResult {

  final Case wanted;
  final Loads loads;
  private final Map<Boolean, List<Measurement>> own = new LinkedHashMap<>();
  private final Map<PeerProgram.Settings, List<Measurement>> peers = new LinkedHashMap<>();
  private final Map<Boolean, Prediction> plans = new LinkedHashMap<>();
  final List<String> notes = new ArrayList<>();
  boolean agrees = true;

  CaseResult(Case wanted, Loads loads) {
    this.wanted = wanted;
    this.loads = loads;
  }

  void addOwn(boolean bf16, Measurement run) {
    own.computeIfAbsent(bf16, type -> new ArrayList<>()).add(run);
  }

  void addPeer(PeerProgram.Settings settings, Measurement run) {
    peers.computeIfAbsent(settings, type -> new ArrayList<>()).add(run);
  }

  /** Our runs by computation: whether in bf16. */
  Map<Boolean, List<Measurement>> own() {
    return own;
  }

  Map<PeerProgram.Settings, List<Measurement>> peers() {
    return peers;
  }

  void addPlan(boolean bf16, Prediction plan) {
    plans.put(bf16, plan);
  }

  /** What {@code dpo4j plan} said, by computation. */
  Map<Boolean, Prediction> plans() {
    return plans;
  }

  /**
   * Compares each of our computations with each of the peer's settings, by their first runs. Only
   * the two that the ratio is taken of must agree, and those in fp32: TRL's bf16 can be further
   * from TRL's own fp32 than any tolerance.
   */
  void compareLosses() {
    own.forEach(
        (bf16, runs) ->
            peers.forEach((settings, theirs) -> compare(bf16, runs.get(0), settings, theirs)));
    own.forEach(
        (bf16, runs) -> {
          for (Measurement run : runs) {
            if (!run.losses().equals(runs.get(0).losses())) {
              agrees = false;
              notes.add("our %s runs DIFFER from each other".formatted(Case.type(bf16)));
              return;
            }
          }
        });
  }

  private void compare(
      boolean bf16, Measurement ours, PeerProgram.Settings settings, List<Measurement> theirs) {
    double tolerance =
        wanted.lora() ? Agreement.LORA : bf16 || settings.bf16() ? Agreement.BF16 : Agreement.FP32;
    Agreement agreement = Agreement.of(ours.losses(), theirs.get(0).losses(), tolerance);
    boolean ofRatio =
        fastestOwn().equals(Optional.of(bf16)) && fastestPeer().equals(Optional.of(settings));
    boolean inFp32 = !bf16 && !settings.bf16();
    agrees &= agreement.holds() || !(ofRatio || inFp32);
    notes.add("our %s and %s: %s".formatted(Case.type(bf16), settings.label(), agreement));
  }

  /** Seconds of our step, with our share of the reference where TRL's step has it inside. */
  double seconds(Measurement ours) {
    double reference =
        wanted.referenceCounts() ? ours.referenceSeconds() / ours.stepSeconds().size() : 0;
    return ours.step() + reference;
  }

  /** The computation whose median is the shortest. */
  Optional<Boolean> fastestOwn() {
    return own.entrySet().stream()
        .min(
            (x, y) ->
                Double.compare(ownStep(x.getValue()).median(), ownStep(y.getValue()).median()))
        .map(Map.Entry::getKey);
  }

  /** The setting whose first run was the shortest; later rounds have this one alone. */
  Optional<PeerProgram.Settings> fastestPeer() {
    return peers.entrySet().stream()
        .min((x, y) -> Double.compare(x.getValue().get(0).step(), y.getValue().get(0).step()))
        .map(Map.Entry::getKey);
  }

  /** Seconds of a step of ours, run by run. */
  Spread ownStep(List<Measurement> runs) {
    return new Spread(runs.stream().map(this::seconds).toList());
  }

  /** How many of our steps one of TRL's takes, round by round; empty without TRL. */
  Optional<Spread> ratio() {
    if (fastestOwn().isEmpty() || fastestPeer().isEmpty()) {
      return Optional.empty();
    }
    List<Measurement> ours = own.getOrDefault(fastestOwn().get(), List.of());
    List<Measurement> theirs = peers.getOrDefault(fastestPeer().get(), List.of());
    return Optional.of(
        new Spread(
            IntStream.range(0, Math.min(ours.size(), theirs.size()))
                .mapToObj(i -> theirs.get(i).step() / seconds(ours.get(i)))
                .toList()));
  }
}
