package org.dpo4j.gpu;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;
import static org.dpo4j.Closeness.relative;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.function.UnaryOperator;
import java.util.stream.Stream;
import org.bytedeco.pytorch.Tensor;
import org.dpo4j.StepReport;
import org.dpo4j.TrainingResult;
import org.dpo4j.api.LanguageModel;
import org.dpo4j.api.PreferenceTuning;
import org.dpo4j.api.Sampling;
import org.dpo4j.batch.ExampleBatch;
import org.dpo4j.batch.FlatSequences;
import org.dpo4j.config.Devices;
import org.dpo4j.logprob.LengthDesensitizing;
import org.dpo4j.logprob.LogProbEngine;
import org.dpo4j.logprob.LogProbPass;
import org.dpo4j.model.WeightMemory;
import org.dpo4j.model.WeightStorage;
import org.dpo4j.optim.FlatParameters;
import org.dpo4j.options.DeviceName;
import org.dpo4j.torch.ComputeDevice;
import org.dpo4j.torch.ElementType;
import org.dpo4j.torch.TensorScope;
import org.dpo4j.torch.Tensors;
import org.dpo4j.train.SmallPairs;
import org.dpo4j.weights.LoadedModel;
import org.dpo4j.weights.ModelFolders;
import org.dpo4j.weights.ModelReader;
import org.dpo4j.weights.ModelWriter;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Closes: a device that computes other numbers than the processor. For a machine with a GPU; with
 * {@code -Ddpo4j.test.device=cpu} the same steps compare the autograd engine with itself, which
 * shows no more than that the tests run.
 */
@Tag("gpu")
class GpuTest {

  private static final String DEVICE = System.getProperty("dpo4j.test.device", "cuda");
  private static final FlatSequences PAIRS = ExampleBatch.of(SmallPairs.random(12, 5)).sequences();
  private static final Path TINY_CHAT = Path.of("..", "examples", "tiny-chat");
  private static final Path DATA = Path.of("..", "examples", "pairs.jsonl");

  private final Path temp;

  GpuTest(@TempDir Path temp) {
    this.temp = temp;
  }

  /** Log-probabilities in nats and the gradient of their sum. */
  @SuppressWarnings("ArrayRecordComponent") // never compared
  private record Numbers(double[] logProbs, double[] gradients) {}

  static List<Path> families() throws IOException {
    try (Stream<Path> folders = Files.list(ModelFolders.fixture("families"))) {
      return folders.sorted().toList();
    }
  }

  @ParameterizedTest
  @MethodSource("families")
  void logProbsAndGradientsOfAFamilyAreThoseOfTheProcessor(Path folder) {
    Numbers expected = numbers(folder, WeightMemory.PLAIN);
    Numbers found = numbers(folder, onDevice(WeightStorage.FP32));

    assertThat(found.logProbs())
        .usingElementComparator(relative(2e-5))
        .containsExactly(expected.logProbs());
    double largest = Arrays.stream(expected.gradients()).map(Math::abs).max().orElse(0);
    assertThat(found.gradients()).containsExactly(expected.gradients(), within(5e-5 * largest));
  }

  @Test
  void weightsStoredIn16BitsGiveTheNumbersOfWideOnes() {
    Path stored = temp.resolve("bf16");
    try (LoadedModel loaded = ModelReader.open(ModelFolders.fixture("families/arcee"))) {
      new ModelWriter().write(stored, loaded, loaded.model(), ElementType.BF16);
    }
    assertThat(logProbs(stored, onDevice(WeightStorage.AS_STORED)))
        .usingElementComparator(relative(2e-5))
        .containsExactly(logProbs(stored, WeightMemory.PLAIN));
  }

  @Test
  void fullTrainingTakesTheStepsOfTheProcessor() {
    assertSteps(5e-4, tuning -> tuning);
  }

  @Test
  void anAdapterWithDropoutTakesTheStepsOfTheProcessor() {
    assertSteps(5e-4, tuning -> tuning.usePeft(true).loraR(4).loraDropout(0.1));
  }

  @Test
  void accumulationAndAReferenceThatMovesAreThoseOfTheProcessor() {
    assertSteps(
        5e-4,
        tuning ->
            tuning
                .perDeviceTrainBatchSize(2)
                .gradientAccumulationSteps(2)
                .syncRefModel(true)
                .refModelSyncSteps(2));
  }

  /** The processor's products may be in 32 bits, so the losses differ as bfloat16 rounds. */
  @Test
  void productsInBfloat16StayNearThoseIn32Bits() {
    assertSteps(5e-2, tuning -> tuning.bf16(true));
  }

  @Test
  void aRunThatIsResumedTakesTheStepsOfOneThatIsNot() {
    Path folder = temp.resolve("run");
    PreferenceTuning tuning =
        tuning(DEVICE).saveStrategy(PreferenceTuning.SaveStrategy.STEPS).saveSteps(2);
    double[] expected = losses(tuning.train(folder).reports());
    double[] resumed =
        losses(tuning.resumeFromCheckpoint(folder.resolve("checkpoint-2")).train(folder).reports());
    assertThat(resumed)
        .hasSizeGreaterThanOrEqualTo(3)
        .usingElementComparator(relative(1e-5))
        .containsExactly(Arrays.copyOfRange(expected, 5 - resumed.length, 5));
  }

  @Test
  void answersAreThoseOfTheProcessor() {
    try (LanguageModel device = LanguageModel.builder(TINY_CHAT).device(DEVICE).open();
        LanguageModel cpu = LanguageModel.open(TINY_CHAT)) {
      for (String prompt : List.of("What is the capital of France?", "Name three colors.")) {
        assertThat(device.generate(prompt, Sampling.greedy(24)).text())
            .isEqualTo(cpu.generate(prompt, Sampling.greedy(24)).text());
      }
    }
  }

  private void assertSteps(double tolerance, UnaryOperator<PreferenceTuning> settings) {
    TrainingResult found = settings.apply(tuning(DEVICE)).train(temp.resolve("device"));
    TrainingResult expected = settings.apply(tuning("cpu")).train(temp.resolve("cpu"));
    assertThat(losses(found.reports()))
        .hasSize(5)
        .usingElementComparator(relative(tolerance))
        .containsExactly(losses(expected.reports()));
  }

  private static PreferenceTuning tuning(String device) {
    return PreferenceTuning.of(TINY_CHAT, DATA)
        .device(device)
        .maxSteps(5)
        .perDeviceTrainBatchSize(4)
        .maxLength(64)
        .learningRate(1e-3)
        .loggingSteps(1)
        .samplePrompts(0)
        .saveStrategy(PreferenceTuning.SaveStrategy.NO)
        .referenceCache(Path.of("off"));
  }

  private static double[] losses(List<StepReport> history) {
    return history.stream().mapToDouble(report -> report.metrics().loss()).toArray();
  }

  private static WeightMemory onDevice(WeightStorage storage) {
    return new WeightMemory(storage, device());
  }

  /** Fails where there is none: on such a machine these tests say nothing. */
  private static ComputeDevice device() {
    return Devices.of(new DeviceName(DEVICE));
  }

  private static double[] logProbs(Path folder, WeightMemory memory) {
    try (LoadedModel loaded = ModelReader.open("model", folder, memory);
        TensorScope scope = TensorScope.open();
        LogProbPass pass =
            LogProbEngine.autograd()
                .forward(
                    loaded.model(), PAIRS, LengthDesensitizing.NONE, LogProbEngine.Purpose.SUMS)) {
      return Tensors.toDoubles(pass.sums());
    }
  }

  private static Numbers numbers(Path folder, WeightMemory memory) {
    try (LoadedModel loaded = ModelReader.open("model", folder, memory);
        FlatParameters flat = FlatParameters.of(loaded.model().trained());
        TensorScope scope = TensorScope.open();
        LogProbPass pass =
            LogProbEngine.autograd()
                .forward(
                    loaded.model(),
                    PAIRS,
                    LengthDesensitizing.NONE,
                    LogProbEngine.Purpose.TRAINING)) {
      Tensor sums = pass.sums();
      double[] ones = new double[(int) sums.numel()];
      Arrays.fill(ones, 1);
      pass.backward(Tensors.like(sums, ones), Tensors.zerosLike(sums, ones.length));
      return new Numbers(Tensors.toDoubles(sums), Tensors.toDoubles(flat.gradients()));
    }
  }
}
