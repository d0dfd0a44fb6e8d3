package org.dpo4j.logprob;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;
import static org.assertj.core.api.Assertions.withinPercentage;
import static org.dpo4j.Closeness.relative;

import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.Random;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.dpo4j.batch.ExampleBatch;
import org.dpo4j.batch.FlatSequences;
import org.dpo4j.model.BigramModel;
import org.dpo4j.model.CausalLm;
import org.dpo4j.model.ModelShape;
import org.dpo4j.model.ParameterSource;
import org.dpo4j.model.RandomParameters;
import org.dpo4j.model.SmallModel;
import org.dpo4j.model.decoder.Decoder;
import org.dpo4j.model.decoder.DecoderConfig;
import org.dpo4j.model.lora.LayerChoice;
import org.dpo4j.model.lora.LoraConfig;
import org.dpo4j.model.lora.LoraModel;
import org.dpo4j.model.lora.TargetModules;
import org.dpo4j.optim.FlatParameters;
import org.dpo4j.plan.MemoryModel;
import org.dpo4j.plan.TokenLoad;
import org.dpo4j.torch.ElementType;
import org.dpo4j.torch.Engine;
import org.dpo4j.torch.RandomNumbers;
import org.dpo4j.torch.TensorScope;
import org.dpo4j.torch.Tensors;
import org.dpo4j.train.SmallPairs;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * Closes: a hand-written backward formula that differs from the derivative. Sums and gradients of
 * every {@link SmallModel}, which together set every switch of every family, are compared with
 * those of the definition under libtorch's autograd, in double precision.
 */
class CpuPassTest {

  private static final FlatSequences PAIRS = ExampleBatch.of(SmallPairs.random(9, 5)).sequences();
  private static final LengthDesensitizing TAIL = new LengthDesensitizing(0.3);
  private static final LogProbEngine.Purpose[] TRAINING = {
    LogProbEngine.Purpose.TRAINING, LogProbEngine.Purpose.CHECKPOINTED_TRAINING
  };

  private static CpuPass forward(
      CausalLm model, FlatSequences batch, LogProbEngine.Purpose purpose, HeadPass.Sizes sizes) {
    return CpuPass.forward(model, batch, TAIL, purpose, sizes, OptionalLong.empty());
  }

  @AfterEach
  void allThreadsAgain() {
    Engine.setThreads(0);
  }

  @ParameterizedTest
  @EnumSource
  void sumsAndGradientsAreThoseOfTheDefinition(SmallModel kind) {
    for (int threads : new int[] {1, 2, 3}) {
      Engine.setThreads(threads);
      try (CausalLm model = kind.create(ElementType.F64, 2)) {
        assertAgreement(model, LogProbEngine.Purpose.TRAINING, HeadPass.Sizes.DEFAULT);
      }
    }
  }

  @ParameterizedTest
  @EnumSource
  void computingBlocksAgainChangesNothing(SmallModel kind) {
    try (CausalLm model = kind.create(ElementType.F64, 2)) {
      double[] kept = gradients(model, LogProbEngine.Purpose.TRAINING, HeadPass.Sizes.DEFAULT);
      double[] again =
          gradients(model, LogProbEngine.Purpose.CHECKPOINTED_TRAINING, HeadPass.Sizes.DEFAULT);
      assertThat(again).isEqualTo(kept);
    }
  }

  /** Tiles of five tokens: many of them, the last ones narrower. */
  @ParameterizedTest
  @EnumSource
  void tilesMakeUpTheVocabulary(SmallModel kind) {
    Engine.setThreads(2);
    try (CausalLm model = kind.create(ElementType.F64, 2)) {
      assertAgreement(model, LogProbEngine.Purpose.TRAINING, new HeadPass.Sizes(1L << 30, 1, 5, 5));
    }
  }

  @ParameterizedTest
  @EnumSource
  void logitsThatDoNotFitAreComputedAgain(SmallModel kind) {
    Engine.setThreads(2);
    try (CausalLm model = kind.create(ElementType.F64, 2)) {
      assertAgreement(model, LogProbEngine.Purpose.TRAINING, new HeadPass.Sizes(0, 1, 5, 5));
    }
  }

  @ParameterizedTest
  @EnumSource
  void anAdapterGetsItsGradientsAndTheBaseNone(SmallModel kind) {
    try (CausalLm base = kind.create(ElementType.F64, 2);
        LoraModel model = adapted(base, new TargetModules.AllLinear())) {
      assertAgreement(model, LogProbEngine.Purpose.TRAINING, HeadPass.Sizes.DEFAULT);
      assertThat(base.parameters().all())
          .allMatch(parameter -> !parameter.tensor().grad().defined());
    }
  }

  private static final List<SmallModel> WITH_EXPERTS =
      Stream.of(SmallModel.values())
          .filter(kind -> kind.config() instanceof DecoderConfig model && model.experts() != null)
          .toList();

  /** Of experts and routers, with attention and without. */
  @Test
  void anAdapterOnExpertsAndRoutersGetsItsGradients() {
    assertThat(WITH_EXPERTS).hasSize(4);
    for (SmallModel kind : WITH_EXPERTS) {
      for (TargetModules targets : List.of(new TargetModules.AllLinear(), LayerChoice.NONE)) {
        try (CausalLm base = kind.create(ElementType.F64, 2);
            LoraModel model =
                adapted(
                    base,
                    new LayerChoice(
                        targets,
                        LayerChoice.NONE,
                        List.of(),
                        List.of(),
                        List.of("gate_up_proj", "down_proj", "router.weight")))) {
          for (int threads : new int[] {1, 2, 3}) {
            Engine.setThreads(threads);
            assertAgreement(model, TRAINING[0], HeadPass.Sizes.DEFAULT);
          }
          assertAgreement(model, TRAINING[1], HeadPass.Sizes.DEFAULT);
          assertRouterLossAgrees(model);
        }
      }
    }
  }

  @Test
  void theLossOfTheRoutersAndItsGradientsAreThoseOfTheDefinition() {
    int losses = 0;
    for (SmallModel kind : WITH_EXPERTS) {
      try (CausalLm model = kind.create(ElementType.F64, 2)) {
        losses += model.routerLoss() == null ? 0 : 1;
        assertRouterLossAgrees(model);
      }
    }
    assertThat(losses).isEqualTo(2);
  }

  /** One expert a token, all of them, and experts that no token takes. */
  @ParameterizedTest
  @CsvSource({"4, 1", "3, 3", "90, 2"})
  void expertsGetTheirGradientsWhicheverTokensTake(int count, int chosen) {
    DecoderConfig config = SmallModel.mixtral(count, chosen);
    Engine.setThreads(3);
    try (CausalLm model =
        new Decoder(config, new RandomParameters(ElementType.F64, new RandomNumbers(2)))) {
      assertAgreement(model, TRAINING[0], HeadPass.Sizes.DEFAULT);
      if (chosen < count) { // the loss of routers that choose all experts is constant
        assertRouterLossAgrees(model);
      }
    }
  }

  private static double largestDifference(double[] numbers, double[] others) {
    return IntStream.range(0, numbers.length)
        .mapToDouble(i -> Math.abs(numbers[i] - others[i]))
        .max()
        .orElse(0);
  }

  /** With a prompt for several completions, which counts as often, on each number of threads. */
  private static void assertRouterLossAgrees(CausalLm model) {
    double expectedLoss;
    double[] expected;
    double[] without;
    try (FlatParameters flat = FlatParameters.of(model.trained());
        TensorScope scope = TensorScope.open()) {
      without = withRouterLoss(model, flat, LogProbEngine.autograd(), TRAINING[0], 0);
      expected = withRouterLoss(model, flat, LogProbEngine.autograd(), TRAINING[0], -300);
      expectedLoss = routerLoss(model, LogProbEngine.autograd(), TRAINING[0]);
      if (model.routerLoss() == null) {
        assertThat(expected).isEqualTo(without);
      } else {
        assertThat(expectedLoss).isPositive();
        assertThat(largestDifference(expected, without)).isGreaterThan(1e-3);
      }
      for (int threads : new int[] {1, 2, 3}) {
        Engine.setThreads(threads);
        for (LogProbEngine.Purpose purpose : TRAINING) {
          assertThat(routerLoss(model, LogProbEngine.cpu(), purpose))
              .usingComparator(relative(1e-12))
              .isEqualTo(expectedLoss);
          assertThat(withRouterLoss(model, flat, LogProbEngine.cpu(), purpose, -300))
              .usingElementComparator(relative(1e-10))
              .containsExactly(expected);
        }
        assertThat(routerLoss(model, LogProbEngine.cpu(), LogProbEngine.Purpose.STATISTICS))
            .usingComparator(relative(1e-12))
            .isEqualTo(expectedLoss);
        assertThat(routerLoss(model, LogProbEngine.cpu(), LogProbEngine.Purpose.SUMS)).isZero();
      }
    }
  }

  private static double routerLoss(
      CausalLm model, LogProbEngine engine, LogProbEngine.Purpose purpose) {
    try (LogProbPass pass = engine.forward(model, PAIRS, TAIL, purpose, OptionalLong.empty())) {
      return pass.routerLoss();
    }
  }

  private static double[] withRouterLoss(
      CausalLm model,
      FlatParameters flat,
      LogProbEngine engine,
      LogProbEngine.Purpose purpose,
      double byRouterLoss) {
    flat.zeroGradients();
    try (TensorScope scope = TensorScope.open();
        LogProbPass pass = engine.forward(model, PAIRS, TAIL, purpose, OptionalLong.empty())) {
      pass.backward(factors(pass.sums(), 1), factors(pass.sums(), 2), byRouterLoss);
      return Tensors.toDoubles(flat.gradients());
    }
  }

  private static LoraModel adapted(CausalLm base, TargetModules targets) {
    return adapted(base, new LayerChoice(targets));
  }

  private static LoraModel adapted(CausalLm base, LayerChoice layers) {
    LoraConfig config =
        new LoraConfig(
            3,
            5,
            0,
            false,
            false,
            layers,
            LoraConfig.Bias.NONE,
            List.of(),
            Map.of(),
            Map.of(),
            false);
    Random random = new Random(9);
    return new LoraModel(
        base,
        config,
        (name, role, shape) -> {
          try (TensorScope scope = TensorScope.open()) {
            long count = Arrays.stream(shape).reduce(1, (a, b) -> a * b);
            double[] values = random.doubles(count, -0.3, 0.3).toArray();
            return scope.disown(Tensors.like(base.parameters().like(), values).view(shape).clone());
          }
        });
  }

  /** Logits of up to hundreds of nats, larger with each tile, with two references in turn. */
  @Test
  void theSumsOfAFrozenHeadFollowLogitsThatGrow() {
    for (int threads : new int[] {1, 2, 3}) {
      Engine.setThreads(threads);
      try (CausalLm base = SmallModel.LLAMA.create(ElementType.F64, 2);
          LoraModel model = adapted(base, new TargetModules.AllLinear())) {
        try (TensorScope scope = TensorScope.open()) {
          Tensor weights = base.head().weight().values();
          long rows = weights.size(0);
          weights.mul_(
              Tensors.doubles(IntStream.range(0, (int) rows).asDoubleStream().toArray())
                  .view(rows, 1));
        }
        HeadPass.Sizes narrow = new HeadPass.Sizes(1L << 30, 1, 5, 5);
        assertAgreement(model, LogProbEngine.Purpose.TRAINING, narrow);
        assertThat(keptLogitBytes(model, LogProbEngine.Purpose.TRAINING, narrow)).isZero();
      }
    }
  }

  /** In one thread's tiles, and beside a sequence of which nothing is finite. */
  @Test
  void logitsThatGrowByHundredsOverflowInNoRowThatIsFinite() {
    Engine.setThreads(1);
    int lost = 9; // a token of the third sequence alone
    FlatSequences batch =
        new FlatSequences.Builder()
            .add(new int[] {1, 2}, new int[] {3, 4}, new int[] {5})
            .add(new int[] {6, 7}, new int[] {lost, 8}, new int[] {8, 6})
            .build();
    HeadPass.Sizes narrow = new HeadPass.Sizes(1L << 30, 1, 5, 5);
    try (CausalLm base = SmallModel.OLMO.create(ElementType.F32, 2);
        LoraModel model = adapted(base, new TargetModules.AllLinear());
        TensorScope scope = TensorScope.open()) {
      Tensor weights = base.head().weight().values();
      int rows = (int) weights.size(0);
      double[] factors = IntStream.range(0, rows).mapToDouble(row -> 200.0 * row).toArray();
      weights.mul_(Tensors.like(weights, factors).view(rows, 1));
      base.embeddingTables().get(0).table().select(0, lost).fill_(Tensors.scalar(Double.NaN));
      try (CpuPass frozen = forward(model, batch, LogProbEngine.Purpose.TRAINING, narrow);
          CpuPass exact = forward(model, batch, LogProbEngine.Purpose.STATISTICS, narrow)) {
        double[] sums = Tensors.toDoubles(frozen.sums());
        double[] expected = Tensors.toDoubles(exact.sums());
        assertThat(expected[0]).isLessThan(-200);
        for (int i : new int[] {0, 1, 3}) {
          assertThat(sums[i]).isCloseTo(expected[i], withinPercentage(0.001));
          assertThat(frozen.tokens().entropy()[i])
              .isCloseTo(exact.tokens().entropy()[i], within(1e-3));
        }
        assertThat(sums[2]).isNaN();
      }
    }
  }

  /** Of table and head: two adapters, or one for both where the two are one matrix. */
  @ParameterizedTest
  @EnumSource
  void anAdapterOnTheEmbeddingTableGetsItsGradients(SmallModel kind) {
    for (boolean tying : new boolean[] {false, true}) {
      try (CausalLm base = kind.create(ElementType.F64, 2)) {
        List<String> ends =
            List.of(
                base.parameters().tableSlots().get(0).path(),
                Objects.requireNonNull(base.head().slot()).path());
        LoraConfig config =
            new LoraConfig(
                3,
                5,
                0.5,
                false,
                false,
                new LayerChoice(new TargetModules.Named(ends)),
                LoraConfig.Bias.NONE,
                List.of(),
                Map.of(),
                Map.of(),
                tying);
        RandomParameters random = new RandomParameters(ElementType.F64, new RandomNumbers(4));
        try (LoraModel model = new LoraModel(base, config, random)) {
          for (int threads : new int[] {1, 2, 3}) {
            Engine.setThreads(threads);
            assertAgreement(model, LogProbEngine.Purpose.TRAINING, HeadPass.Sizes.DEFAULT);
            assertAgreement(model, TRAINING[1], new HeadPass.Sizes(0, 1, 5, 5));
          }
          model.enableDropout();
          double[] expected = dropped(model, LogProbEngine.autograd(), TRAINING[0], 7);
          assertThat(dropped(model, LogProbEngine.cpu(), TRAINING[0], 7))
              .usingElementComparator(relative(1e-9))
              .containsExactly(expected);
        }
      }
    }
  }

  /** Without dropout and with it, where the layer's own product is computed twice. */
  @ParameterizedTest
  @EnumSource
  void theLengthsOfDoraGetTheirGradientsOnBothEngines(SmallModel kind) {
    LoraConfig config =
        new LoraConfig(
            3,
            5,
            0.5,
            false,
            true,
            new LayerChoice(
                new TargetModules.AllLinear(),
                new TargetModules.Named(List.of("head")),
                List.of(),
                List.of(),
                List.of()),
            LoraConfig.Bias.ALL,
            List.of(),
            Map.of(),
            Map.of(),
            false);
    try (CausalLm base = kind.create(ElementType.F64, 2)) {
      ParameterSource copies = base.parameters().copies();
      RandomParameters random = new RandomParameters(ElementType.F64, new RandomNumbers(4));
      try (LoraModel model =
          new LoraModel(
              base,
              config,
              (name, role, shape) ->
                  (name.contains(".lora_") ? random : copies).take(name, role, shape))) {
        assertAgreement(model, LogProbEngine.Purpose.TRAINING, HeadPass.Sizes.DEFAULT);
        model.enableDropout();
        double[] expected = dropped(model, LogProbEngine.autograd(), TRAINING[0], 7);
        for (int threads : new int[] {1, 3}) {
          Engine.setThreads(threads);
          double[] found = dropped(model, LogProbEngine.cpu(), TRAINING[0], 7);
          assertThat(found).usingElementComparator(relative(1e-9)).containsExactly(expected);
          assertThat(dropped(model, LogProbEngine.cpu(), TRAINING[1], 7)).isEqualTo(found);
        }
      }
    }
  }

  /** A norm with an adapter around it, and an untied head beside one. */
  @ParameterizedTest
  @EnumSource
  void modulesThatAreTrainedInFullGetTheirGradientsBesideAnAdapter(SmallModel kind) {
    try (CausalLm base = kind.create(ElementType.F64, 2)) {
      List<String> names = base.parameters().all().stream().map(p -> p.name()).toList();
      List<String> modules =
          Stream.of("lm_head", "ln_2", "post_attention_layernorm", "norm2", "ln_f")
              .filter(end -> names.stream().anyMatch(name -> name.endsWith(end + ".weight")))
              .toList();
      assertThat(modules).isNotEmpty();
      LoraConfig config =
          new LoraConfig(
              3, 5, 0, false, new TargetModules.AllLinear(), modules, Map.of(), Map.of());
      ParameterSource copies = base.parameters().copies();
      RandomParameters random = new RandomParameters(ElementType.F64, new RandomNumbers(4));
      try (LoraModel model =
          new LoraModel(
              base,
              config,
              (name, role, shape) ->
                  (name.contains(".lora_") ? random : copies).take(name, role, shape))) {
        assertAgreement(model, LogProbEngine.Purpose.TRAINING, HeadPass.Sizes.DEFAULT);
      }
    }
  }

  /**
   * The two engines draw the same masks, with any number of threads, and so agree up to rounding.
   * Recomputed blocks draw them again.
   */
  @ParameterizedTest
  @EnumSource
  void dropoutMasksDependOnTheSeedAndNotOnThreadsEngineOrRecomputation(SmallModel kind) {
    LoraConfig config =
        new LoraConfig(
            3, 5, 0.5, false, new TargetModules.AllLinear(), List.of(), Map.of(), Map.of());
    RandomParameters random = new RandomParameters(ElementType.F64, new RandomNumbers(4));
    try (CausalLm base = kind.create(ElementType.F64, 2);
        LoraModel model = new LoraModel(base, config, random)) {
      model.enableDropout();
      double[] expected = dropped(model, LogProbEngine.autograd(), TRAINING[0], 7);
      for (int threads : new int[] {1, 2, 3}) {
        Engine.setThreads(threads);
        double[] found = dropped(model, LogProbEngine.cpu(), TRAINING[0], 7);
        // Sums of some hundred products in 64 bits, in another order.
        assertThat(found).usingElementComparator(relative(1e-9)).containsExactly(expected);
        assertThat(dropped(model, LogProbEngine.cpu(), TRAINING[1], 7)).isEqualTo(found);
        assertThat(dropped(model, LogProbEngine.cpu(), TRAINING[0], 8)).isNotEqualTo(found);
      }
    }
  }

  private static double[] dropped(
      CausalLm model, LogProbEngine engine, LogProbEngine.Purpose purpose, long seed) {
    try (FlatParameters flat = FlatParameters.of(model.trained());
        TensorScope scope = TensorScope.open();
        LogProbPass pass = engine.forward(model, PAIRS, TAIL, purpose, OptionalLong.of(seed))) {
      pass.backward(factors(pass.sums(), 1), factors(pass.sums(), 2));
      return Tensors.toDoubles(flat.gradients());
    }
  }

  /**
   * Eight bits of precision in each product: half a percent of a sum, a few percent of a gradient.
   */
  @ParameterizedTest
  @EnumSource
  void productsInBf16ComeNear(SmallModel kind) {
    try (CausalLm model = kind.create(ElementType.F32, 2)) {
      double[] plain = gradients(model, LogProbEngine.Purpose.TRAINING, HeadPass.Sizes.DEFAULT);
      model.parameters().enableBf16();
      double[] cast = gradients(model, LogProbEngine.Purpose.TRAINING, HeadPass.Sizes.DEFAULT);
      assertThat(cast).isNotEqualTo(plain);
      double off = 0;
      double size = 0;
      for (int i = 0; i < plain.length; i++) {
        off += (cast[i] - plain[i]) * (cast[i] - plain[i]);
        size += plain[i] * plain[i];
      }
      assertThat(Math.sqrt(off / size)).isLessThan(0.05);
    }
  }

  /** By one tile, by many whose exponentials are kept, and by many that are not. */
  @Test
  void statisticsAreThoseOfTheDefinition() {
    Engine.setThreads(2);
    HeadPass.Sizes[] all = {
      HeadPass.Sizes.DEFAULT, new HeadPass.Sizes(1L << 30, 1, 5, 5), new HeadPass.Sizes(0, 1, 5, 5)
    };
    try (CausalLm model = SmallModel.LLAMA.create(ElementType.F64, 2)) {
      TokenStatistics expected = statistics(model);
      for (HeadPass.Sizes sizes : all) {
        try (TensorScope scope = TensorScope.open();
            CpuPass pass = forward(model, PAIRS, LogProbEngine.Purpose.TRAINING, sizes)) {
          TokenStatistics found = pass.tokens();
          assertThat(found.tokens()).isEqualTo(expected.tokens());
          assertThat(found.entropy())
              .usingElementComparator(relative(1e-10))
              .containsExactly(expected.entropy());
          assertThat(found.logits())
              .usingElementComparator(relative(1e-10))
              .containsExactly(expected.logits());
          assertThat(found.correct()).isEqualTo(expected.correct());
          assertThat(found.alignment())
              .usingElementComparator(relative(1e-10))
              .containsExactly(expected.alignment());
        }
      }
    }
  }

  private static TokenStatistics statistics(CausalLm model) {
    TokenStatistics sums = TokenStatistics.zeros(PAIRS.sequences());
    int vocabulary = model.vocabSize();
    double[] logits;
    try (TensorScope scope = TensorScope.open()) {
      logits = Tensors.toDoubles(SequenceLogProbs.completionLogits(model, PAIRS).detach());
    }
    for (int i = 0; i < PAIRS.targets().length; i++) {
      double[] x = Arrays.copyOfRange(logits, i * vocabulary, (i + 1) * vocabulary);
      double z = Arrays.stream(x).map(Math::exp).sum();
      double[] p = Arrays.stream(x).map(logit -> Math.exp(logit) / z).toArray();
      int target = PAIRS.targets()[i];
      int sequence = PAIRS.sequenceOf()[i];
      sums.tokens()[sequence]++;
      sums.entropy()[sequence] -= Arrays.stream(p).map(share -> share * Math.log(share)).sum();
      sums.logits()[sequence] += Arrays.stream(x).average().orElseThrow();
      sums.correct()[sequence] += Arrays.stream(x).max().orElseThrow() == x[target] ? 1 : 0;
      sums.alignment()[sequence] +=
          Math.log(p[target]) - Math.log(Arrays.stream(p).map(share -> share * share).sum());
    }
    return sums;
  }

  @Test
  void aPassForAReferenceLeavesTheLogitsOfAnOpenPassAlone() {
    try (CausalLm model = SmallModel.LLAMA.create(ElementType.F64, 2);
        CausalLm other = SmallModel.LLAMA.create(ElementType.F64, 3)) {
      double[] alone = gradients(model, LogProbEngine.Purpose.TRAINING, HeadPass.Sizes.DEFAULT);
      try (FlatParameters flat = FlatParameters.of(model.trained());
          TensorScope scope = TensorScope.open();
          CpuPass pass =
              forward(model, PAIRS, LogProbEngine.Purpose.TRAINING, HeadPass.Sizes.DEFAULT)) {
        forward(other, PAIRS, LogProbEngine.Purpose.SUMS, HeadPass.Sizes.DEFAULT).close();
        pass.backward(factors(pass.sums(), 1), factors(pass.sums(), 2));
        assertThat(Tensors.toDoubles(flat.gradients())).isEqualTo(alone);
      }
    }
  }

  /** Chosen and rejected as two passes, say: what one keeps is not the other's. */
  @ParameterizedTest
  @EnumSource
  void twoOpenPassesDoNotTouchEachOther(SmallModel kind) {
    FlatSequences others = ExampleBatch.of(SmallPairs.random(4, 6)).sequences();
    for (LogProbEngine.Purpose purpose : TRAINING) {
      try (CausalLm model = kind.create(ElementType.F64, 2);
          FlatParameters flat = FlatParameters.of(model.trained());
          TensorScope scope = TensorScope.open()) {
        double[] first = alone(model, flat, PAIRS, purpose);
        double[] second = alone(model, flat, others, purpose);
        // In every order of going back, and of closing.
        for (int order = 0; order < 4; order++) {
          CpuPass one = forward(model, PAIRS, purpose, HeadPass.Sizes.DEFAULT);
          CpuPass two = forward(model, others, purpose, HeadPass.Sizes.DEFAULT);
          assertThat(backward(order % 2 == 0 ? one : two, flat))
              .isEqualTo(order % 2 == 0 ? first : second);
          (order < 2 ? one : two).close();
          if (order == 0 || order == 3) { // the one that is still open
            assertThat(backward(order == 0 ? two : one, flat))
                .isEqualTo(order == 0 ? second : first);
          }
          one.close();
          two.close();
        }
      }
    }
  }

  private static double[] alone(
      CausalLm model, FlatParameters flat, FlatSequences batch, LogProbEngine.Purpose purpose) {
    try (CpuPass pass = forward(model, batch, purpose, HeadPass.Sizes.DEFAULT)) {
      return backward(pass, flat);
    }
  }

  private static double[] backward(CpuPass pass, FlatParameters flat) {
    flat.zeroGradients();
    try (TensorScope scope = TensorScope.open()) {
      Tensor sums = pass.sums();
      double[] ones = new double[(int) sums.numel()];
      Arrays.fill(ones, 0.5);
      pass.backward(Tensors.like(sums, ones), Tensors.like(sums, ones));
      return Tensors.toDoubles(flat.gradients());
    }
  }

  /** An open pass has memory, and nothing of the thread that opened it. */
  @Test
  void passesCloseInAnyOrderAndInAnyThread() throws InterruptedException {
    Engine.setThreads(2);
    try (CausalLm model = SmallModel.LLAMA.create(ElementType.F32, 2);
        FlatParameters flat = FlatParameters.of(model.trained());
        TensorScope scope = TensorScope.open()) {
      double[] alone = alone(model, flat, PAIRS, LogProbEngine.Purpose.TRAINING);
      CpuPass first = forward(model, PAIRS, TRAINING[0], HeadPass.Sizes.DEFAULT);
      CpuPass second = forward(model, PAIRS, TRAINING[0], HeadPass.Sizes.DEFAULT);
      CpuPass third = forward(model, PAIRS, TRAINING[0], HeadPass.Sizes.DEFAULT);
      assertThat(torch.get_num_threads()).isEqualTo(2);
      Tensor mine = Tensors.doubles(3); // of this thread, and of no pass
      first.close();
      Thread other = new Thread(second::close);
      other.start();
      other.join();
      assertThat(backward(third, flat)).isEqualTo(alone);
      third.close();
      third.close(); // again does nothing
      assertThat(mine.item_double()).isEqualTo(3);
      assertThat(torch.get_num_threads()).isEqualTo(2);
    }
  }

  /** Up to the limit the exponentials of all logits; nothing above it, or without training. */
  @Test
  void theHeadHoldsTheLogitsThatThePlanCounts() {
    try (CausalLm model = SmallModel.LLAMA.create(ElementType.F32, 2)) {
      model.trained().requireGradients(true);
      ModelShape shape = ((DecoderConfig) SmallModel.LLAMA.config()).shape();
      TokenLoad load = TokenLoad.of(SmallPairs.random(9, 5), shape);
      long planned = new MemoryModel(shape, Optional.empty(), 0, 0, false, 1, 2).savedLogits(load);
      assertThat(planned).isPositive();
      assertThat(keptLogitBytes(model, TRAINING[0], HeadPass.Sizes.DEFAULT)).isEqualTo(planned);
      HeadPass.Sizes small = new HeadPass.Sizes(planned - 1, 1 << 18, 256, 1024);
      assertThat(keptLogitBytes(model, TRAINING[0], small)).isZero();
      assertThat(keptLogitBytes(model, LogProbEngine.Purpose.SUMS, HeadPass.Sizes.DEFAULT))
          .isZero();
    }
  }

  private static long keptLogitBytes(
      CausalLm model, LogProbEngine.Purpose purpose, HeadPass.Sizes sizes) {
    try (CpuPass pass = forward(model, PAIRS, purpose, sizes)) {
      return pass.keptLogitBytes();
    }
  }

  /** It waited for ever for threads that were no more. */
  @Test
  void anOpenPassGoesBackWithTheThreadsThatItBeganWith() {
    Engine.setThreads(2);
    try (CausalLm model = SmallModel.LLAMA.create(ElementType.F32, 2);
        FlatParameters flat = FlatParameters.of(model.trained());
        TensorScope scope = TensorScope.open()) {
      double[] alone = alone(model, flat, PAIRS, LogProbEngine.Purpose.TRAINING);
      try (CpuPass pass = forward(model, PAIRS, TRAINING[0], HeadPass.Sizes.DEFAULT)) {
        Engine.setThreads(3);
        assertThat(backward(pass, flat)).isEqualTo(alone);
      }
    }
  }

  @Test
  void aPassGoesBackOnce() {
    for (LogProbEngine.Purpose purpose : TRAINING) {
      try (CausalLm model = SmallModel.LLAMA.create(ElementType.F32, 2);
          FlatParameters flat = FlatParameters.of(model.trained());
          CpuPass pass = forward(model, PAIRS, purpose, HeadPass.Sizes.DEFAULT)) {
        double[] gradients = backward(pass, flat);
        assertThatThrownBy(() -> backwardOnly(pass))
            .isInstanceOf(IllegalStateException.class)
            .hasMessageContaining("backward pass once");
        assertThat(Tensors.toDoubles(flat.gradients())).isEqualTo(gradients);
        pass.close();
        assertThatThrownBy(() -> backwardOnly(pass))
            .isInstanceOf(IllegalStateException.class)
            .hasMessageContaining("closed");
      }
    }
  }

  /** The pass has not saved what their gradients need, or a gradient has no tensor to add to. */
  @Test
  void weightsThatBeginToRequireGradientsAreRefused() {
    try (CausalLm model = SmallModel.LLAMA.create(ElementType.F32, 2)) {
      try (CpuPass pass = forward(model, PAIRS, TRAINING[0], HeadPass.Sizes.DEFAULT)) {
        model.parameters().requireGradients(true);
        assertThatThrownBy(() -> backwardOnly(pass))
            .isInstanceOf(IllegalStateException.class)
            .hasMessageContaining("embed_tokens.weight did not require gradients when");
      }
      try (CpuPass pass = forward(model, PAIRS, TRAINING[0], HeadPass.Sizes.DEFAULT)) {
        assertThatThrownBy(() -> backwardOnly(pass))
            .isInstanceOf(IllegalStateException.class)
            .hasMessageContaining("has no gradient tensor; FlatParameters.of makes one");
      }
      try (FlatParameters flat = FlatParameters.of(model.trained());
          CpuPass pass = forward(model, PAIRS, TRAINING[0], HeadPass.Sizes.DEFAULT)) {
        model.parameters().requireGradients(false);
        assertThatThrownBy(() -> backwardOnly(pass))
            .isInstanceOf(IllegalStateException.class)
            .hasMessageContaining("embed_tokens.weight required gradients when");
        assertThat(flat.gradientNorm()).isZero();
      }
    }
  }

  private static void backwardOnly(CpuPass pass) {
    try (TensorScope scope = TensorScope.open()) {
      Tensor none = Tensors.doubles(new double[PAIRS.sequences()]).to(torch.ScalarType.Float);
      pass.backward(none, none);
    }
  }

  /** Its numbers would be those of one of the two by chance. */
  @Test
  void anAdapterAndItsBaseAreNotUsedAtOnce() {
    LoraConfig config =
        new LoraConfig(
            3, 5, 0, false, new TargetModules.AllLinear(), List.of(), Map.of(), Map.of());
    try (CausalLm base = SmallModel.LLAMA.create(ElementType.F32, 2);
        LoraModel model =
            new LoraModel(base, config, LoraModel.fresh(base, new RandomNumbers(3)))) {
      CausalLm off = model.base();
      CausalLm.AdapterHold first = off.holdAdapter();
      CausalLm.AdapterHold second = off.holdAdapter();
      first.close(); // the second goes on
      assertThatThrownBy(() -> forward(model, PAIRS, TRAINING[0], HeadPass.Sizes.DEFAULT))
          .isInstanceOf(IllegalStateException.class)
          .hasMessageContaining("the adapter is off");
      second.close();
      forward(model, PAIRS, TRAINING[0], HeadPass.Sizes.DEFAULT).close();
      try (CausalLm copy = model.copy();
          CausalLm.AdapterHold third = copy.holdAdapter()) {
        assertThatThrownBy(off::holdAdapter).isInstanceOf(IllegalStateException.class);
        assertThatThrownBy(model::holdAdapter).isInstanceOf(IllegalStateException.class);
      }
    }
  }

  @Test
  void onlyTheSumsThatAreAskedForMove() {
    try (CausalLm model = SmallModel.LLAMA.create(ElementType.F64, 2);
        FlatParameters flat = FlatParameters.of(model.parameters());
        TensorScope scope = TensorScope.open();
        CpuPass pass =
            forward(model, PAIRS, LogProbEngine.Purpose.TRAINING, HeadPass.Sizes.DEFAULT)) {
      Tensor none = Tensors.zerosLike(pass.sums(), PAIRS.sequences());
      pass.backward(none, none);
      assertThat(flat.gradientNorm()).isZero();
    }
  }

  /** No family has one so far. The head's matrix is not trained. */
  @Test
  void aBiasOfTheHeadGetsItsGradient() {
    Engine.setThreads(2);
    RandomParameters random = new RandomParameters(ElementType.F64, new RandomNumbers(4));
    try (CausalLm model = new BigramModel(SmallModel.VOCABULARY, random, true)) {
      assertThat(model.parameters().all()).hasSize(2);
      for (HeadPass.Sizes sizes :
          List.of(HeadPass.Sizes.DEFAULT, new HeadPass.Sizes(1L << 30, 1, 5, 5))) {
        assertAgreement(model, LogProbEngine.Purpose.TRAINING, sizes);
      }
    }
  }

  /** A prompt whose completion is its first token alone, say. */
  @Test
  void withoutATokenToScoreNothingMoves() {
    FlatSequences nothing = FlatSequences.of(new int[] {1, 2}, new int[0], new int[0]);
    for (LogProbEngine engine : List.of(LogProbEngine.cpu(), LogProbEngine.autograd())) {
      for (LogProbEngine.Purpose purpose : TRAINING) {
        try (CausalLm model = SmallModel.LLAMA.create(ElementType.F64, 2);
            FlatParameters flat = FlatParameters.of(model.parameters());
            TensorScope scope = TensorScope.open();
            LogProbPass pass = engine.forward(model, nothing, TAIL, purpose)) {
          assertThat(Tensors.toDoubles(pass.sums())).containsExactly(0, 0);
          assertThat(pass.tokens().tokens()).containsExactly(0, 0);
          pass.backward(Tensors.doubles(1, 1), Tensors.doubles(1, 1));
          assertThat(flat.gradientNorm()).isZero();
        }
      }
    }
  }

  @Test
  void aPassThatDoesNotTrainHasNoBackwardPass() {
    try (CausalLm model = SmallModel.LLAMA.create(ElementType.F32, 2);
        FlatParameters flat = FlatParameters.of(model.parameters())) {
      for (LogProbEngine.Purpose purpose :
          List.of(LogProbEngine.Purpose.SUMS, LogProbEngine.Purpose.STATISTICS)) {
        try (CpuPass pass = forward(model, PAIRS, purpose, HeadPass.Sizes.DEFAULT)) {
          assertThatThrownBy(() -> backwardOnly(pass))
              .isInstanceOf(IllegalStateException.class)
              .hasMessage("a pass for " + purpose + " has no backward pass");
        }
      }
      assertThat(flat.gradientNorm()).isZero();
    }
  }

  @Test
  void aPassForSumsHasNoStatistics() {
    try (CausalLm model = SmallModel.LLAMA.create(ElementType.F32, 2);
        CpuPass pass = forward(model, PAIRS, LogProbEngine.Purpose.SUMS, HeadPass.Sizes.DEFAULT)) {
      assertThat(pass.tokens().tokens()).hasSize(PAIRS.sequences()).containsOnly(0);
      assertThat(pass.tokens().entropy()).containsOnly(0);
    }
  }

  /** Wide enough for the products to be fast, and a tile that stays in the cache. */
  @Test
  void aTileIsNarrowerTheMoreRowsAreScored() {
    HeadPass.Sizes sizes = new HeadPass.Sizes(0, 1000, 10, 100);
    assertThat(IntStream.of(0, 1, 10, 11, 50, 100, 101).map(sizes::width))
        .containsExactly(100, 100, 100, 90, 20, 10, 10);
  }

  @Test
  void enginesHaveTheNamesOfTheirOption() {
    assertThat(LogProbEngine.cpu()).hasToString("cpu");
    assertThat(LogProbEngine.autograd()).hasToString("autograd");
  }

  @Test
  void aRunRepeatsToTheLastBit() {
    Engine.setThreads(2);
    try (CausalLm model = SmallModel.LLAMA.create(ElementType.F32, 2)) {
      double[] first = gradients(model, LogProbEngine.Purpose.TRAINING, HeadPass.Sizes.DEFAULT);
      for (int i = 0; i < 5; i++) {
        assertThat(gradients(model, LogProbEngine.Purpose.TRAINING, HeadPass.Sizes.DEFAULT))
            .isEqualTo(first);
      }
    }
  }

  private static void assertAgreement(
      CausalLm model, LogProbEngine.Purpose purpose, HeadPass.Sizes sizes) {
    double[] expectedSums;
    double[] expected;
    try (FlatParameters flat = FlatParameters.of(model.trained());
        TensorScope scope = TensorScope.open()) {
      Tensor sums = SequenceLogProbs.logProbs(model, PAIRS);
      Tensor weighted = SequenceLogProbs.logProbs(model, PAIRS, TAIL);
      expectedSums = Tensors.toDoubles(Tensors.cat(List.of(sums, weighted), 0));
      sums.mul(factors(sums, 1)).sum().add(weighted.mul(factors(sums, 2)).sum()).backward();
      expected = Tensors.toDoubles(flat.gradients());
    }
    try (TensorScope scope = TensorScope.open();
        CpuPass pass = forward(model, PAIRS, LogProbEngine.Purpose.SUMS, sizes)) {
      double[] sums = Tensors.toDoubles(Tensors.cat(List.of(pass.sums(), pass.weightedSums()), 0));
      assertThat(sums).usingElementComparator(relative(1e-10)).containsExactly(expectedSums);
    }
    assertThat(gradients(model, purpose, sizes))
        .usingElementComparator(relative(1e-10))
        .containsExactly(expected);
  }

  private static double[] gradients(
      CausalLm model, LogProbEngine.Purpose purpose, HeadPass.Sizes sizes) {
    try (FlatParameters flat = FlatParameters.of(model.trained());
        TensorScope scope = TensorScope.open();
        CpuPass pass = forward(model, PAIRS, purpose, sizes)) {
      pass.backward(factors(pass.sums(), 1), factors(pass.sums(), 2));
      return Tensors.toDoubles(flat.gradients());
    }
  }

  private static Tensor factors(Tensor like, int seed) {
    return Tensors.like(
        like, IntStream.range(0, PAIRS.sequences()).mapToDouble(i -> Math.sin(i + seed)).toArray());
  }
}
