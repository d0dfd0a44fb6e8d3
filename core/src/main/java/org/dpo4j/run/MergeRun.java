package org.dpo4j.run;

import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.stream.IntStream;
import org.bytedeco.pytorch.Tensor;
import org.dpo4j.DpoException;
import org.dpo4j.OptionText;
import org.dpo4j.batch.FlatSequences;
import org.dpo4j.checkpoint.DiskSpace;
import org.dpo4j.checkpoint.OutputFolder;
import org.dpo4j.config.Devices;
import org.dpo4j.config.MergeConfig;
import org.dpo4j.model.CausalLm;
import org.dpo4j.model.FlatAttention;
import org.dpo4j.model.WeightMemory;
import org.dpo4j.model.WeightStorage;
import org.dpo4j.report.RunOutput;
import org.dpo4j.tokenizer.TextReplacement;
import org.dpo4j.torch.ElementType;
import org.dpo4j.torch.Engine;
import org.dpo4j.torch.NoGrad;
import org.dpo4j.torch.TensorScope;
import org.dpo4j.torch.Tensors;
import org.dpo4j.weights.LoadedModel;
import org.dpo4j.weights.ModelReader;
import org.dpo4j.weights.ModelWriter;
import org.dpo4j.weights.PeftAdapter;
import org.dpo4j.weights.Rounding;

/** Merges an adapter into its model: the result is one checkpoint with the same outputs. */
public final class MergeRun {

  private static final int SAMPLE = 64;

  /** The largest share of the adapter's change of the logits that a merge may lose. */
  private static final double ALLOWED_OF_EFFECT = 0.1;

  /** Rounding error of float32 logits, as a share of the largest: a few tens of units of 2^-23. */
  private static final double FLOAT_NOISE = 5e-6;

  private MergeRun() {}

  /**
   * Merges and, on request, verifies; the folder appears when it is complete.
   *
   * @throws DpoException if an input cannot be used, or if verification finds that the adapter
   *     belongs to another model or that the result has other logits
   */
  public static void run(MergeConfig config, RunOutput output) {
    run(config, output, DiskSpace.OF_MACHINE);
  }

  /** As above with another disk, for tests. */
  static void run(MergeConfig config, RunOutput output, DiskSpace disk) {
    config.checkInputs();
    try (Engine.Threads threads = Engine.use(config.threads());
        OutputFolder folder =
            OutputFolder.prepare(
                config.outputDir(),
                OutputFolder.Existing.REFUSE,
                List.of(config.model(), config.adapter()));
        InterruptedOutput interruption =
            InterruptedOutput.watch(output, "model", folder, config.outputDir())) {
      Merged merged = merge(config, folder, output, disk);
      if (config.verify()) {
        // The model and its adapter are closed, so that there is one model in memory.
        try (LoadedModel written =
            ModelReader.open("output_dir", folder.pending(), memory(config))) {
          verify(merged.with, merged.without, logits(written.model()), merged.lost, output);
        }
      }
      output.out().println("merged as " + merged.type);
      folder.publish();
      output.out().println("written to " + folder.target());
    }
  }

  private static WeightMemory memory(MergeConfig config) {
    return new WeightMemory(WeightStorage.AS_STORED, Devices.of(config.device()));
  }

  /** What was written. */
  private static final class Merged {
    private final float[] with; // logits of the model with its adapter
    private final float[] without; // of the model alone
    private final String type; // of the file, and why
    private final String lost; // what rounding lost; empty for nothing

    Merged(float[] with, float[] without, String type, String lost) {
      this.with = with;
      this.without = without;
      this.type = type;
      this.lost = lost;
    }
  }

  private static Merged merge(
      MergeConfig config, OutputFolder folder, RunOutput output, DiskSpace disk) {
    try (LoadedModel loaded = ModelReader.open("model", config.model(), memory(config));
        PeftAdapter adapter = PeftAdapter.open("adapter", config.adapter(), loaded)) {
      Optional<String> otherModel = AdapterCheck.run(config.adapter(), adapter, loaded, output);
      if (config.verify() && otherModel.isPresent()) {
        throw new DpoException("%s; nothing was written".formatted(otherModel.get()));
      }
      ElementType own = config.saveDtype().elementType(loaded.checkpoint().dtype());
      DiskNeed.ofModel(loaded.checkpoint(), Saving.largest(config.saveDtype(), own))
          .require(config.outputDir(), disk, 0);
      adapter.model().requireMergeable();
      float[] without = logits(adapter.model().base());
      float[] with = logits(adapter.model());
      boolean exact = own == ElementType.F32;
      Rounding rounding = exact ? Rounding.NONE : Rounding.of(loaded, adapter.model(), own);
      ElementType type = Saving.choose(config.saveDtype(), own, rounding);
      String lost = exact || type != own ? "" : Saving.loss(own, rounding, "the adapter");
      if (type == own && rounding.share() > Saving.ALLOWED) {
        output.warn(lost + OptionText.of("; pass {save_dtype} float32"));
      }
      new ModelWriter().write(folder.pending(), loaded, adapter.model(), type);
      TextReplacement replaced =
          TextReplacement.NONE.orOfAdapter(Optional.of(config.adapter()), config.model());
      for (String part : ModelBundle.writeText(folder.pending(), replaced, config.model())) {
        output.note("the merged model has the %s of the adapter".formatted(part));
      }
      String words = exact ? type.torchName() : Saving.words(type, own, rounding, "the adapter");
      return new Merged(with, without, words, lost);
    }
  }

  /**
   * The merged checkpoint may differ from the model with its adapter by a small part of the
   * adapter's effect, and by float32 rounding, since the order of summation differs.
   */
  static void verify(float[] with, float[] without, float[] merged, String lost, RunOutput output) {
    double difference = largestDifference(with, merged);
    double effect = largestDifference(with, without);
    double noise = FLOAT_NOISE * largestDifference(with, new float[with.length]);
    output
        .out()
        .println(
            String.format(
                Locale.ROOT,
                "largest logit difference: %.2e between adapter and merged checkpoint; %.2e between"
                    + " adapter on and off",
                difference,
                effect));
    if (!(difference <= ALLOWED_OF_EFFECT * effect + noise)) {
      throw new DpoException(
          String.format(
              Locale.ROOT,
              "the merged checkpoint must compute the adapter's logits to %.0f %% of what the"
                  + " adapter changes but the largest difference is %.2e where the adapter changes"
                  + " %.2e; nothing was written%s",
              100 * ALLOWED_OF_EFFECT,
              difference,
              effect,
              lost.isEmpty() ? "" : "; " + lost + OptionText.of("; pass {save_dtype} float32")));
    }
    if (effect <= noise) {
      output.warn(
          OptionText.of(
              "the adapter changes no logit of the sample by more than rounding does, so {verify} could"
                  + " not tell whether it was merged; check that it is the right adapter"));
    }
  }

  private static double largestDifference(float[] a, float[] b) {
    return IntStream.range(0, a.length).mapToDouble(i -> Math.abs(a[i] - b[i])).max().orElse(0);
  }

  /** Logits after tokens spread over the vocabulary. */
  private static float[] logits(CausalLm model) {
    int tokens = Math.min(SAMPLE, model.maxPositions() - 1);
    int[] ids = IntStream.range(0, tokens).map(i -> i * 7919 % model.vocabSize()).toArray();
    FlatSequences sequences = FlatSequences.of(ids, new int[] {0});
    Tensor like = model.parameters().like();
    try (TensorScope scope = TensorScope.open();
        NoGrad noGrad = NoGrad.open()) {
      Tensor hidden =
          model.hiddenStates(
              Tensors.indices(like, sequences.ids()),
              Tensors.indices(like, sequences.positions()),
              new FlatAttention(sequences, like, model.windows()));
      return Tensors.toFloats(model.logits(hidden));
    }
  }
}
