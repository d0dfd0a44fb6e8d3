package org.dpo4j.run;

import java.util.List;
import java.util.Locale;
import java.util.stream.IntStream;
import org.bytedeco.pytorch.Tensor;
import org.dpo4j.DpoException;
import org.dpo4j.batch.FlatSequences;
import org.dpo4j.checkpoint.OutputFolder;
import org.dpo4j.model.CausalLm;
import org.dpo4j.model.FlatAttention;
import org.dpo4j.torch.ElementType;
import org.dpo4j.torch.Engine;
import org.dpo4j.torch.NoGrad;
import org.dpo4j.torch.TensorScope;
import org.dpo4j.torch.Tensors;
import org.dpo4j.weights.LoadedModel;
import org.dpo4j.weights.ModelReader;
import org.dpo4j.weights.ModelWriter;
import org.dpo4j.weights.PeftAdapter;

/** A model and its adapter in, one checkpoint that computes the same out. */
public final class MergeRun {

  private static final int SAMPLE = 64;

  private MergeRun() {}

  /**
   * Merges; the folder appears when it is complete, and verified where that is asked for.
   *
   * @throws DpoException if an input cannot be used, or the result computes other logits
   */
  public static void run(MergeConfig config, RunOutput output) {
    config.checkInputs();
    try (Engine.Threads threads = Engine.use(config.threads());
        OutputFolder folder =
            OutputFolder.prepare(
                config.outputDir(), false, List.of(config.model(), config.adapter()));
        ShutdownHook hook = ShutdownHook.closing(folder);
        LoadedModel loaded = ModelReader.open(config.model());
        PeftAdapter adapter = PeftAdapter.open("--adapter", config.adapter(), loaded)) {
      float[] without = logits(adapter.model().base());
      float[] with = logits(adapter.model());
      adapter.model().merge();
      ElementType type = config.saveDtype().elementType(loaded.checkpoint().dtype());
      new ModelWriter().write(folder.pending(), loaded, loaded.model(), type);
      if (config.verify()) {
        try (LoadedModel merged = ModelReader.open("--output_dir", folder.pending())) {
          verify(with, without, logits(merged.model()), type, output);
        }
      }
      folder.publish();
      output.out().println("written to " + folder.target());
    }
  }

  private static void verify(
      float[] with, float[] without, float[] merged, ElementType type, RunOutput output) {
    double difference = largestDifference(with, merged);
    double allowed = tolerance(type) * Math.max(1, largestDifference(with, new float[with.length]));
    output
        .out()
        .println(
            String.format(
                Locale.ROOT,
                "largest logit difference: %.2e between adapter and merged checkpoint (%s, allowed"
                    + " %.2e); %.2e between adapter on and off",
                difference,
                type.torchName(),
                allowed,
                largestDifference(with, without)));
    if (!(difference <= allowed)) {
      throw new DpoException(
          "the merged checkpoint must compute the adapter's logits but the largest difference is"
              + " %.2e, above %.2e; nothing was written%s"
                  .formatted(
                      difference,
                      allowed,
                      type.bytes() < ElementType.F32.bytes()
                          ? "; pass --save_dtype float32 to lose nothing by rounding"
                          : ""));
    }
  }

  /** As a share of the largest logit: some of rounding's steps, which add up over the layers. */
  private static double tolerance(ElementType type) {
    return switch (type) {
      case BF16 -> 5e-2;
      case F16 -> 1e-2;
      default -> 1e-4;
    };
  }

  private static double largestDifference(float[] a, float[] b) {
    return IntStream.range(0, a.length).mapToDouble(i -> Math.abs(a[i] - b[i])).max().orElse(0);
  }

  /** Logits after each of some tokens that lie spread over the vocabulary. */
  private static float[] logits(CausalLm model) {
    int tokens = Math.min(SAMPLE, model.maxPositions() - 1);
    int[] ids = IntStream.range(0, tokens).map(i -> i * 7919 % model.vocabSize()).toArray();
    FlatSequences sequences = FlatSequences.of(ids, new int[] {0});
    try (TensorScope scope = TensorScope.open();
        NoGrad noGrad = NoGrad.open()) {
      Tensor hidden =
          model.hiddenStates(
              Tensors.longs(sequences.ids()),
              Tensors.longs(sequences.positions()),
              new FlatAttention(
                  sequences, model.parameters().all().get(0).tensor(), model.windows()));
      return Tensors.toFloats(model.logits(hidden));
    }
  }
}
