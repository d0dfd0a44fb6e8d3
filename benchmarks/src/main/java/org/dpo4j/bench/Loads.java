package org.dpo4j.bench;

import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.dpo4j.encode.EncodedExample;
import org.dpo4j.encode.EncodingLimits;
import org.dpo4j.encode.ExampleDataset;
import org.dpo4j.encode.ExampleEncoder;
import org.dpo4j.encode.OnBadRow;
import org.dpo4j.model.ModelShape;
import org.dpo4j.model.lora.LoraConfig;
import org.dpo4j.model.lora.TargetModules;
import org.dpo4j.plan.AdapterShape;
import org.dpo4j.plan.StepArithmetic;
import org.dpo4j.plan.TokenLoad;
import org.dpo4j.tokenizer.ModelTokenizer;
import org.dpo4j.weights.ModelBlueprint;

/**
 * What the timed steps of a workload have to do, all of them together: the first step is not timed.
 *
 * @param steps that are timed
 * @param tokens ids after truncation as TRL counts them, a prompt once for each side
 * @param load what is fed and predicted
 * @param arithmetic of one pass over it, forward and backward
 */
record Loads(int steps, long tokens, TokenLoad load, double arithmetic) {

  static Loads of(Workload work) {
    ModelBlueprint blueprint = ModelBlueprint.read("--model_dir", work.model());
    ModelShape shape = blueprint.shape();
    List<EncodedExample> pairs = encode(work.model(), work.data());
    int first = work.steps() > 1 ? Math.min(work.pairs(), pairs.size() - 1) : 0;
    List<EncodedExample> timed = pairs.subList(first, pairs.size());
    TokenLoad load = TokenLoad.of(timed, shape);
    Optional<AdapterShape> adapter =
        work.lora() ? Optional.of(AdapterShape.of(lora(work), shape, 0)) : Optional.empty();
    return new Loads(
        Math.max(1, work.steps() - 1),
        timed.stream().mapToLong(EncodedExample::tokens).sum(),
        load,
        new StepArithmetic(shape, adapter).training(load));
  }

  /** The pairs of a file that are trained on. */
  static List<EncodedExample> encode(Path model, Path file) {
    ModelBlueprint blueprint = ModelBlueprint.read("--model_dir", model);
    try (ModelTokenizer tokenizer = ModelTokenizer.load(model)) {
      ExampleEncoder encoder =
          ExampleEncoder.of(
              tokenizer,
              new EncodingLimits(
                  Workload.MAX_LENGTH, blueprint.maxPositions(), blueprint.shape().vocabSize()));
      return ExampleDataset.load(file, encoder, OnBadRow.STOP).examples();
    }
  }

  private static LoraConfig lora(Workload work) {
    return new LoraConfig(
        work.loraRank(),
        2.0 * work.loraRank(),
        0,
        false,
        new TargetModules.Named(List.of("q_proj", "v_proj")),
        List.of(),
        Map.of(),
        Map.of());
  }

  double pairsPerStep() {
    return (double) load.examples() / steps;
  }

  double tokensPerStep() {
    return (double) tokens / steps;
  }

  /** Useful operations of a step. */
  double arithmeticPerStep() {
    return arithmetic / steps;
  }
}
