package org.dpo4j.run;

import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.function.Consumer;
import org.dpo4j.config.Devices;
import org.dpo4j.config.EvalConfig;
import org.dpo4j.data.DataInput;
import org.dpo4j.encode.EncodedRow;
import org.dpo4j.encode.ExampleDataset;
import org.dpo4j.evaluate.ModelScores;
import org.dpo4j.evaluate.PairScore;
import org.dpo4j.model.CausalLm;
import org.dpo4j.model.WeightMemory;
import org.dpo4j.model.WeightStorage;
import org.dpo4j.report.RunOutput;
import org.dpo4j.weights.LoadedModel;
import org.dpo4j.weights.ModelReader;
import org.jspecify.annotations.Nullable;

/**
 * Scores pairs under a model and its reference. Several threads may score at once, each with the
 * number of threads that it set with {@link org.dpo4j.torch.Engine#use}.
 */
public final class ModelScorer implements AutoCloseable {

  /**
   * The scores of some rows.
   *
   * @param pairs that can be used, in the order of the rows
   * @param divergence from the reference, if it was measured
   * @param summary of the rows
   */
  public record Result(
      List<PairScore> pairs,
      Optional<ModelScores.Divergence> divergence,
      ExampleDataset.ReadSummary summary) {}

  private final EvalConfig config;
  private final ModelBundle bundle;
  private final @Nullable LoadedModel loaded; // a reference that is closed with this
  private final @Nullable CausalLm reference;

  private ModelScorer(
      EvalConfig config,
      ModelBundle bundle,
      @Nullable LoadedModel loaded,
      @Nullable CausalLm reference) {
    this.config = config;
    this.bundle = bundle;
    this.loaded = loaded;
    this.reference = reference;
  }

  /**
   * Loads the models; the caller closes them.
   *
   * @param output receives warnings about tokenizer and adapter
   * @throws org.dpo4j.UsageException if the reference has other token ids than the model
   * @throws org.dpo4j.DpoException if a model cannot be read
   */
  public static ModelScorer open(EvalConfig config, EvaluatedModel model, RunOutput output) {
    WeightMemory memory = new WeightMemory(WeightStorage.AS_STORED, Devices.of(config.device()));
    ModelBundle bundle =
        ModelBundle.open(
            model.base(), model.adapter(), config.template().replacing(), memory, output);
    LoadedModel loaded = null;
    try {
      if (model.toBase()) {
        CausalLm base = bundle.adapter().orElseThrow().model().base();
        return new ModelScorer(config, bundle, null, base);
      }
      if (model.reference().isEmpty()) {
        return new ModelScorer(config, bundle, null, null);
      }
      Path folder = model.reference().get();
      loaded = ModelReader.open("ref_model", folder, memory);
      References.requireSameIds(model.base(), bundle.model(), folder, loaded.model());
      return new ModelScorer(config, bundle, loaded, loaded.model());
    } catch (RuntimeException | Error e) {
      if (loaded != null) {
        loaded.close();
      }
      bundle.close();
      throw e;
    }
  }

  /** Whether the model has a chat template. */
  boolean hasTemplate() {
    return bundle.tokenizer().template() != null;
  }

  /**
   * Scores the pairs of some rows.
   *
   * @param expectedPairs about how many there are in the whole evaluation, of which the divergence
   *     is measured on a sample
   * @param encoders number of tokenizing threads, including the calling one
   * @param each gets each row, used or not, in order
   * @throws org.dpo4j.data.BadRowException at a bad row, unless {@code on_bad_row} is skip
   * @throws org.dpo4j.DpoException if a log-probability is not finite
   */
  public Result score(
      DataInput input, long expectedPairs, int encoders, Consumer<EncodedRow> each) {
    PairScorer scorer = new PairScorer(bundle.model(), reference, config.klTokens(), expectedPairs);
    ExampleDataset.ReadSummary summary =
        ExampleDataset.forEachRow(
            input,
            bundle.encoder(config.maxLength()),
            config.onBadRow(),
            encoders,
            row -> {
              row.usable().ifPresent(scorer::add);
              each.accept(row);
            });
    scorer.finish();
    return new Result(scorer.pairs(), scorer.divergence(), summary);
  }

  @Override
  public void close() {
    if (loaded != null) {
      loaded.close();
    }
    bundle.close();
  }
}
