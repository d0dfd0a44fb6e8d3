package org.dpo4j.weights;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.OptionalLong;
import org.bytedeco.pytorch.Tensor;
import org.dpo4j.batch.ExampleBatch;
import org.dpo4j.batch.FlatSequences;
import org.dpo4j.logprob.LengthDesensitizing;
import org.dpo4j.logprob.LogProbEngine;
import org.dpo4j.logprob.LogProbPass;
import org.dpo4j.model.ExpertSlot;
import org.dpo4j.model.GrowingSequences;
import org.dpo4j.model.Int8Rows;
import org.dpo4j.model.Parameters;
import org.dpo4j.model.WeightMemory;
import org.dpo4j.model.WeightStorage;
import org.dpo4j.model.lora.LayerChoice;
import org.dpo4j.model.lora.LoraConfig;
import org.dpo4j.model.lora.LoraModel;
import org.dpo4j.model.lora.TargetModules;
import org.dpo4j.optim.FlatParameters;
import org.dpo4j.torch.ComputeDevice;
import org.dpo4j.torch.ElementType;
import org.dpo4j.torch.NoGrad;
import org.dpo4j.torch.RandomNumbers;
import org.dpo4j.torch.TensorScope;
import org.dpo4j.torch.Tensors;
import org.dpo4j.train.SmallPairs;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Closes: a layer that computes with weights in 16 bits as if they were fp32, or with other values
 * than those of the file. A frozen model gives the same bits however its weights are stored.
 */
class WeightStorageTest {

  private static final FlatSequences PAIRS = ExampleBatch.of(SmallPairs.random(60, 5)).sequences();

  /** Trained in full beside the adapter: none, the embedding table, a matrix of each block. */
  private static final List<List<String>> MODULES =
      List.of(List.of(), List.of("embed_tokens"), List.of("mlp.down_proj"));

  private final Path temp;

  WeightStorageTest(@TempDir Path temp) {
    this.temp = temp;
  }

  static List<Path> cases() throws IOException {
    return FamiliesTest.cases();
  }

  @ParameterizedTest
  @MethodSource("cases")
  void logProbsAndAnswersAreTheSameBits(Path folder) {
    Path stored = inBf16(folder);
    try (LoadedModel wide = ModelReader.open(stored);
        LoadedModel narrow = ModelReader.open("model", stored, memory(WeightStorage.AS_STORED))) {
      assertThat(types(narrow)).contains(ElementType.BF16);
      for (LogProbEngine engine : List.of(LogProbEngine.cpu(), LogProbEngine.autograd())) {
        assertThat(sums(engine, narrow)).isEqualTo(sums(engine, wide)).doesNotContain(0);
      }
      assertThat(answer(narrow)).isEqualTo(answer(wide));
    }
  }

  /** Modules that are trained in full are in fp32 then, and in their own type again afterwards. */
  @ParameterizedTest
  @ValueSource(strings = {"arcee", "mixtral", "granitemoe", "gpt_oss"})
  void anAdapterGetsTheSameGradients(String family) {
    Path stored = inBf16(ModelFolders.fixture("families/" + family));
    try (LoadedModel wide = ModelReader.open(stored);
        LoadedModel narrow = ModelReader.open("model", stored, memory(WeightStorage.AS_STORED))) {
      List<ElementType> before = types(narrow);
      for (LogProbEngine engine : List.of(LogProbEngine.cpu(), LogProbEngine.autograd())) {
        for (List<String> modules : modules(narrow)) {
          assertThat(gradients(engine, narrow, modules))
              .isEqualTo(gradients(engine, wide, modules))
              .anyMatch(gradient -> gradient != 0);
          assertThat(types(narrow)).isEqualTo(before);
        }
      }
    }
  }

  /** Each product is that with the rounded matrix, in every engine. */
  @ParameterizedTest
  @MethodSource("cases")
  void in8BitsAModelComputesWithTheRoundedMatricesOfItsBlocks(Path folder) {
    try (LoadedModel rounded = ModelReader.open("model", folder, memory(WeightStorage.INT8));
        LoadedModel wide = ModelReader.open(folder)) {
      int count = 0;
      for (int i = 0; i < types8(rounded).size(); i++) {
        if (types8(rounded).get(i)) {
          count++;
          round(wide.model().parameters().all().get(i).tensor());
        }
      }
      assertThat(count).isPositive().isLessThan(types8(rounded).size());
      for (LogProbEngine engine : List.of(LogProbEngine.cpu(), LogProbEngine.autograd())) {
        assertThat(sums(engine, rounded)).isEqualTo(sums(engine, wide)).doesNotContain(0);
      }
      assertThat(answer(rounded)).isEqualTo(answer(wide));
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"arcee", "mixtral", "granitemoe", "qwen2_moe", "gpt_oss"})
  void anAdapterOnAModelIn8BitsGetsTheGradientsOfTheRoundedModel(String family) {
    Path folder = ModelFolders.fixture("families/" + family);
    try (LoadedModel rounded = ModelReader.open("model", folder, memory(WeightStorage.INT8));
        LoadedModel wide = ModelReader.open(folder)) {
      List<Boolean> before = types8(rounded);
      for (int i = 0; i < before.size(); i++) {
        if (before.get(i)) {
          round(wide.model().parameters().all().get(i).tensor());
        }
      }
      for (List<String> modules : modules(rounded)) {
        assertThat(gradients(LogProbEngine.cpu(), rounded, modules))
            .isEqualTo(gradients(LogProbEngine.cpu(), wide, modules))
            .anyMatch(gradient -> gradient != 0);
        assertThat(types8(rounded)).isEqualTo(before);
      }
    }
  }

  @Test
  void theErrorOfAWeightIn8BitsIsAtMostHalfTheScaleOfItsRow() {
    try (TensorScope scope = TensorScope.open()) {
      Tensor matrix = Tensors.floats(1, -0.3f, 0.004f, 0, 0, 0, -2, 0.5f, 127).view(3, 3);
      Tensor rounded = Int8Rows.memory(9).view(3, 3);
      Tensor scales = Tensors.empty(ElementType.F32, 3, 1);
      Int8Rows.round(matrix, rounded, scales);
      assertThat(Tensors.toLongs(rounded)).containsExactly(127, -38, 1, 0, 0, 0, -2, 0, 127);
      assertThat(Tensors.toDoubles(scales)).containsExactly((float) (1 / 127.0), 0, 1);
    }
  }

  private static WeightMemory memory(WeightStorage storage) {
    return new WeightMemory(storage, ComputeDevice.CPU);
  }

  private static List<Boolean> types8(LoadedModel loaded) {
    return loaded.model().parameters().all().stream()
        .map(parameter -> parameter.tensor().element_size() == 1)
        .toList();
  }

  private static void round(Tensor matrix) {
    try (TensorScope scope = TensorScope.open();
        NoGrad noGrad = NoGrad.open()) {
      Tensor rounded = Int8Rows.memory(matrix.numel()).view(matrix.shape());
      long width = matrix.size(-1);
      Tensor rows = matrix.view(-1, width);
      Tensor scales = Tensors.empty(ElementType.F32, rows.size(0), 1);
      Int8Rows.round(rows, rounded.view(-1, width), scales);
      rows.copy_(rounded.view(-1, width).to(ElementType.F32.scalarType()).mul(scales));
    }
  }

  private Path inBf16(Path folder) {
    Path stored = temp.resolve("bf16");
    try (LoadedModel loaded = ModelReader.open(folder)) {
      new ModelWriter().write(stored, loaded, loaded.model(), ElementType.BF16);
    }
    return stored;
  }

  private static List<ElementType> types(LoadedModel loaded) {
    return loaded.model().parameters().all().stream()
        .map(parameter -> Tensors.elementType(parameter.tensor()))
        .toList();
  }

  private static double[] sums(LogProbEngine engine, LoadedModel loaded) {
    try (TensorScope scope = TensorScope.open();
        LogProbPass pass =
            engine.forward(
                loaded.model(),
                PAIRS,
                LengthDesensitizing.NONE,
                LogProbEngine.Purpose.SUMS,
                OptionalLong.empty())) {
      return Tensors.toDoubles(pass.sums());
    }
  }

  private static List<Double> answer(LoadedModel loaded) {
    List<Double> logits = new ArrayList<>();
    try (GrowingSequences sequences = new GrowingSequences(loaded.model(), 2);
        TensorScope scope = TensorScope.open();
        NoGrad noGrad = NoGrad.open()) {
      add(logits, sequences.read(new int[] {3, 1, 2}));
      sequences.add();
      sequences.add();
      add(logits, sequences.append(new int[] {4, 5}));
    }
    return logits;
  }

  private static void add(List<Double> all, Tensor some) {
    for (double one : Tensors.toDoubles(some)) {
      all.add(one);
    }
  }

  /** Experts are trained by an adapter alone. */
  private static List<List<String>> modules(LoadedModel loaded) {
    return loaded.model().parameters().expertSlots().isEmpty() ? MODULES : MODULES.subList(0, 2);
  }

  private static List<Double> gradients(
      LogProbEngine engine, LoadedModel loaded, List<String> modules) {
    List<String> experts =
        loaded.model().parameters().expertSlots().stream().map(ExpertSlot::path).toList();
    List<String> layers = List.of("q_proj", "v_proj", "up_proj");
    LoraConfig config =
        new LoraConfig(
            4,
            8,
            0,
            false,
            false,
            new LayerChoice(
                new TargetModules.Named(experts.isEmpty() ? layers : layers.subList(0, 2)),
                LayerChoice.NONE,
                List.of(),
                List.of(),
                experts),
            LoraConfig.Bias.NONE,
            modules,
            Map.of(),
            Map.of(),
            false);
    RandomNumbers random = new RandomNumbers(1);
    List<Double> gradients = new ArrayList<>();
    try (LoraModel model =
            new LoraModel(loaded.model(), config, LoraModel.fresh(loaded.model(), random));
        FlatParameters flat = FlatParameters.of(model.trained());
        TensorScope scope = TensorScope.open();
        LogProbPass pass =
            engine.forward(
                model,
                PAIRS,
                LengthDesensitizing.NONE,
                LogProbEngine.Purpose.TRAINING,
                OptionalLong.empty())) {
      Tensor ones = pass.sums().detach().fill_(Tensors.scalar(1));
      pass.backward(ones, ones.mul(Tensors.scalar(0)));
      for (Parameters.Parameter parameter : model.trained().all()) {
        add(gradients, parameter.tensor().grad());
      }
    }
    return gradients;
  }
}
