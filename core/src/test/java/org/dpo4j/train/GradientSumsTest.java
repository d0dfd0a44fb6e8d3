package org.dpo4j.train;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.stream.LongStream;
import java.util.stream.Stream;
import org.bytedeco.pytorch.Tensor;
import org.dpo4j.batch.FlatSequences;
import org.dpo4j.logprob.LengthDesensitizing;
import org.dpo4j.logprob.LogProbEngine;
import org.dpo4j.logprob.LogProbPass;
import org.dpo4j.model.CausalLm;
import org.dpo4j.model.lora.LoraConfig;
import org.dpo4j.model.lora.LoraModel;
import org.dpo4j.model.lora.TargetModules;
import org.dpo4j.optim.FlatParameters;
import org.dpo4j.ranks.Ranks;
import org.dpo4j.torch.RandomNumbers;
import org.dpo4j.torch.TensorScope;
import org.dpo4j.torch.Tensors;
import org.dpo4j.weights.LoadedModel;
import org.dpo4j.weights.ModelFolders;
import org.dpo4j.weights.ModelReader;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Closes: a sum of gradients that are not complete, and ranks that begin different sums. */
class GradientSumsTest {

  private static final long LARGE = GradientSums.PART;

  /** A rank that remembers what the gradients were when their sums began. */
  private static final class Watching implements Ranks {
    private final List<double[]> begun = new ArrayList<>();
    private final List<Tensor> tensors = new ArrayList<>();
    private int awaited;
    private int closed;

    @Override
    public int rank() {
      return 0;
    }

    @Override
    public int size() {
      return 2;
    }

    @Override
    public PendingSum startSum(Tensor tensor) {
      begun.add(Tensors.toDoubles(tensor));
      tensors.add(TensorScope.ownedHandle(tensor)); // the same memory
      return new PendingSum() {
        @Override
        public void await() {
          awaited++;
        }

        @Override
        public void close() {
          closed++;
        }
      };
    }

    @Override
    public double[] sum(double... numbers) {
      throw new AssertionError("not expected");
    }

    @Override
    public void copyFirst(Tensor tensor) {
      throw new AssertionError("not expected");
    }

    @Override
    public void close() {
      tensors.forEach(Tensors::free);
    }
  }

  static List<Path> families() throws IOException {
    try (Stream<Path> folders = Files.list(ModelFolders.fixture("families"))) {
      return folders.sorted().toList();
    }
  }

  /** In every family, names tell which gradients a block of the backward pass completes. */
  @ParameterizedTest
  @MethodSource("families")
  void aSumBeginsWithCompleteGradients(Path folder) {
    try (LoadedModel loaded = ModelReader.open(folder)) {
      requireCompleteGradients(loaded.model());
    }
  }

  @Test
  void aSumOfAnAdapterBeginsWithCompleteGradients() {
    LoraConfig config =
        new LoraConfig(
            3, 5, 0, false, new TargetModules.AllLinear(), List.of(), Map.of(), Map.of());
    try (LoadedModel loaded = ModelReader.open(ModelFolders.fixture("models/llama"));
        LoraModel adapted =
            new LoraModel(
                loaded.model(), config, LoraModel.fresh(loaded.model(), new RandomNumbers(5)))) {
      requireCompleteGradients(adapted);
    }
  }

  private static void requireCompleteGradients(CausalLm model) {
    try (FlatParameters flat = FlatParameters.of(model.trained());
        Watching ranks = new Watching();
        TensorScope scope = TensorScope.open()) {
      GradientSums sums = new GradientSums(flat, ranks, 1); // each block is a part
      int parts = GradientSums.parts(flat.ranges(), 1).size();
      int early;
      try (LogProbPass pass =
          LogProbEngine.cpu()
              .forward(
                  model,
                  FlatSequences.of(new int[] {5, 6, 7}, new int[] {8, 9, 10, 11}),
                  LengthDesensitizing.NONE,
                  LogProbEngine.Purpose.TRAINING)) {
        pass.backward(
            Tensors.like(pass.sums(), new double[] {1}),
            Tensors.like(pass.sums(), new double[] {0}),
            0,
            sums::blockDone);
        early = ranks.begun.size();
      }
      sums.finish();

      assertThat(early).isEqualTo(model.hasTapedLayers() ? partsOfBlocks(flat) : 0);
      assertThat(ranks.begun).hasSize(parts);
      assertThat(ranks.awaited).isEqualTo(parts);
      assertThat(ranks.closed).isEqualTo(parts);
      for (int i = 0; i < parts; i++) {
        assertThat(Tensors.toDoubles(ranks.tensors.get(i))).isEqualTo(ranks.begun.get(i));
      }
      assertThat(ranks.tensors.stream().mapToLong(Tensor::numel).sum()).isEqualTo(flat.count());
    }
  }

  private static int partsOfBlocks(FlatParameters flat) {
    return (int)
        GradientSums.parts(flat.ranges(), 1).stream().filter(part -> part.block() >= 0).count();
  }

  @Test
  void partsAreWholeBlocksOfAtLeastSoManyGradientsFromTheLastBlockDown() {
    List<FlatParameters.Range> ranges = new ArrayList<>();
    add(ranges, "embed.weight", 3 * LARGE);
    for (int i = 0; i < 5; i++) {
      add(ranges, "model.layers.%d.up.weight".formatted(i), LARGE / 3);
      add(ranges, "model.layers.%d.down.weight".formatted(i), LARGE / 3);
    }
    add(ranges, "head.weight", LARGE);
    add(ranges, "model.layers.0.norm.weight", 8);
    add(ranges, "model.layers.1.norm.weight", 8);
    add(ranges, "norm.weight", 8);

    List<GradientSums.Part> parts = GradientSums.parts(ranges, LARGE);

    assertThat(parts).extracting(GradientSums.Part::block).containsExactly(3, 1, 0, 0, -1, -1, -1);
    assertThat(parts.get(0)).isEqualTo(part(3, 3 * LARGE + 3 * (LARGE / 3) * 2, 4 * (LARGE / 3)));
    long covered = 0;
    for (GradientSums.Part part :
        parts.stream().sorted((one, other) -> Long.compare(one.from(), other.from())).toList()) {
      assertThat(part.from()).isEqualTo(covered);
      covered += part.count();
    }
    assertThat(covered).isEqualTo(LongStream.of(4 * LARGE, 10 * (LARGE / 3), 24).sum());
  }

  private static GradientSums.Part part(int block, long from, long count) {
    return new GradientSums.Part(block, from, count);
  }

  private static void add(List<FlatParameters.Range> ranges, String name, long count) {
    long from = ranges.stream().mapToLong(FlatParameters.Range::count).sum();
    ranges.add(new FlatParameters.Range(name, from, count));
  }
}
