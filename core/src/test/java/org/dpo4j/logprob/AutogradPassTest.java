package org.dpo4j.logprob;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.dpo4j.Closeness.relative;

import java.util.List;
import java.util.Map;
import java.util.OptionalLong;
import java.util.stream.IntStream;
import org.bytedeco.pytorch.Device;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.dpo4j.batch.ExampleBatch;
import org.dpo4j.batch.FlatSequences;
import org.dpo4j.model.CausalLm;
import org.dpo4j.model.DecoderBlock;
import org.dpo4j.model.DropoutMasks;
import org.dpo4j.model.Linear;
import org.dpo4j.model.Node;
import org.dpo4j.model.Parameters;
import org.dpo4j.model.RandomParameters;
import org.dpo4j.model.Rope;
import org.dpo4j.model.Rotations;
import org.dpo4j.model.SmallModel;
import org.dpo4j.model.lora.LoraConfig;
import org.dpo4j.model.lora.LoraModel;
import org.dpo4j.model.lora.TargetModules;
import org.dpo4j.optim.FlatParameters;
import org.dpo4j.torch.ElementType;
import org.dpo4j.torch.NoGrad;
import org.dpo4j.torch.RandomNumbers;
import org.dpo4j.torch.TensorScope;
import org.dpo4j.torch.Tensors;
import org.dpo4j.train.SmallPairs;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * Closes: two engines that disagree. Sums and gradients are compared with the definition, all
 * results with the CPU pass, in double precision.
 */
class AutogradPassTest {

  private static final FlatSequences PAIRS = ExampleBatch.of(SmallPairs.random(9, 5)).sequences();
  private static final LengthDesensitizing TAIL = new LengthDesensitizing(0.3);
  private static final long ALL_BYTES = 1L << 30;

  /** All rows at once, tiles of four rows that are kept, and ones that are recomputed. */
  private static final List<AutogradPass.Sizes> SIZES =
      List.of(
          AutogradPass.Sizes.DEFAULT,
          new AutogradPass.Sizes(4 * SmallModel.VOCABULARY, ALL_BYTES),
          new AutogradPass.Sizes(4 * SmallModel.VOCABULARY, 0));

  @ParameterizedTest
  @EnumSource
  void sumsAndGradientsAreThoseOfTheDefinition(SmallModel kind) {
    try (CausalLm model = kind.create(ElementType.F64, 2)) {
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
      for (AutogradPass.Sizes sizes : SIZES) {
        for (LogProbEngine.Purpose purpose : LogProbEngine.Purpose.values()) {
          try (TensorScope scope = TensorScope.open();
              LogProbPass pass =
                  AutogradPass.forward(model, PAIRS, TAIL, purpose, sizes, OptionalLong.empty())) {
            assertThat(Tensors.toDoubles(Tensors.cat(List.of(pass.sums(), pass.weightedSums()), 0)))
                .usingElementComparator(relative(1e-10))
                .containsExactly(expectedSums);
          }
        }
        for (LogProbEngine.Purpose purpose :
            List.of(LogProbEngine.Purpose.TRAINING, LogProbEngine.Purpose.CHECKPOINTED_TRAINING)) {
          assertThat(gradients(model, purpose, sizes))
              .usingElementComparator(relative(1e-10))
              .containsExactly(expected);
        }
      }
    }
  }

  @ParameterizedTest
  @EnumSource
  void statisticsAreThoseOfTheCpuPass(SmallModel kind) {
    LogProbEngine.Purpose purpose = LogProbEngine.Purpose.STATISTICS;
    try (CausalLm model = kind.create(ElementType.F64, 2);
        TensorScope scope = TensorScope.open();
        LogProbPass cpu = LogProbEngine.cpu().forward(model, PAIRS, TAIL, purpose)) {
      TokenStatistics expected = cpu.tokens();
      for (AutogradPass.Sizes sizes : SIZES) {
        try (LogProbPass pass =
            AutogradPass.forward(model, PAIRS, TAIL, purpose, sizes, OptionalLong.empty())) {
          TokenStatistics found = pass.tokens();
          assertThat(found.tokens()).isEqualTo(expected.tokens());
          assertThat(found.correct()).isEqualTo(expected.correct());
          assertThat(found.entropy())
              .usingElementComparator(relative(1e-10))
              .containsExactly(expected.entropy());
          assertThat(found.logits())
              .usingElementComparator(relative(1e-10))
              .containsExactly(expected.logits());
          assertThat(found.alignment())
              .usingElementComparator(relative(1e-10))
              .containsExactly(expected.alignment());
        }
      }
    }
  }

  @Test
  void aPassForSumsHasNoStatistics() {
    try (CausalLm model = SmallModel.LLAMA.create(ElementType.F32, 2);
        LogProbPass pass =
            LogProbEngine.autograd().forward(model, PAIRS, TAIL, LogProbEngine.Purpose.SUMS)) {
      assertThat(pass.tokens().tokens()).containsOnly(0);
    }
  }

  /**
   * With an adapter at the head, whose dropped inputs must be the same when tiles are recomputed.
   */
  @ParameterizedTest
  @EnumSource(names = {"MISTRAL", "PHI3", "GPT2_UNSCALED"})
  void dropoutOfAnAdapterIsDecidedByItsSeedWhateverIsRecomputed(SmallModel kind) {
    try (CausalLm base = kind.create(ElementType.F64, 2)) {
      double[] kept = droppedGradients(base, SIZES.get(1), 7);
      assertThat(droppedGradients(base, SIZES.get(1), 7)).isEqualTo(kept);
      assertThat(droppedGradients(base, SIZES.get(2), 7)).isEqualTo(kept);
      assertThat(droppedGradients(base, SIZES.get(1), 8)).isNotEqualTo(kept);
    }
  }

  private static double[] droppedGradients(CausalLm base, AutogradPass.Sizes sizes, long seed) {
    LoraConfig config =
        new LoraConfig(
            3,
            5,
            0.5,
            false,
            new TargetModules.Matching("target_modules", ".*(o_proj|c_proj|lm_head)"),
            List.of(),
            Map.of(),
            Map.of());
    RandomParameters random = new RandomParameters(ElementType.F64, new RandomNumbers(4));
    try (LoraModel model = new LoraModel(base, config, random)) {
      model.enableDropout();
      return gradients(
          model,
          (policy, sequences, tail, purpose, none) ->
              AutogradPass.forward(policy, sequences, tail, purpose, sizes, OptionalLong.of(seed)));
    }
  }

  /**
   * Both engines round the factors of each product to eight bits of precision, in another order: a
   * few percent of a gradient.
   */
  @ParameterizedTest
  @EnumSource
  void productsInBf16ComeNearThoseOfTheCpuPass(SmallModel kind) {
    try (CausalLm model = kind.create(ElementType.F32, 2)) {
      LogProbEngine.Purpose purpose = LogProbEngine.Purpose.TRAINING;
      double[] plain = gradients(model, purpose, AutogradPass.Sizes.DEFAULT);
      model.parameters().enableBf16();
      double[] cast = gradients(model, purpose, AutogradPass.Sizes.DEFAULT);
      assertThat(cast).isNotEqualTo(plain);
      double[] cpu = gradients(model, LogProbEngine.cpu());
      double off = 0;
      double size = 0;
      for (int i = 0; i < cpu.length; i++) {
        off += (cast[i] - cpu[i]) * (cast[i] - cpu[i]);
        size += cpu[i] * cpu[i];
      }
      assertThat(Math.sqrt(off / size)).isLessThan(0.05);
    }
  }

  @Test
  void gradientsAddUp() {
    try (CausalLm model = SmallModel.LLAMA.create(ElementType.F64, 2);
        FlatParameters flat = FlatParameters.of(model.trained());
        TensorScope scope = TensorScope.open()) {
      double[] once = backward(model, flat, LogProbEngine.autograd());
      double[] twice = backward(model, flat, LogProbEngine.autograd());
      double[] doubled = IntStream.range(0, once.length).mapToDouble(i -> 2 * once[i]).toArray();
      // A tied head's gradient is the sum of two, and rounds twice.
      assertThat(twice).usingElementComparator(relative(1e-12)).containsExactly(doubled);
    }
  }

  /** A caller who records nothing himself, as an evaluation or a service. */
  @Test
  void aCallerWithoutGradientsTrainsAllTheSame() {
    try (CausalLm model = SmallModel.LLAMA.create(ElementType.F64, 2)) {
      double[] expected = gradients(model, LogProbEngine.autograd());
      try (NoGrad noGrad = NoGrad.open()) {
        assertThat(gradients(model, LogProbEngine.autograd())).isEqualTo(expected);
      }
    }
  }

  @Test
  void aPassRunsItsBackwardPassOnceAndOnlyWhileItIsOpen() {
    LogProbEngine engine = LogProbEngine.autograd();
    try (CausalLm model = SmallModel.LLAMA.create(ElementType.F32, 2);
        FlatParameters flat = FlatParameters.of(model.trained());
        TensorScope scope = TensorScope.open()) {
      LogProbPass pass = engine.forward(model, PAIRS, TAIL, LogProbEngine.Purpose.TRAINING);
      Tensor factors = factors(pass.sums(), 1);
      pass.backward(factors, factors);
      double[] gradients = Tensors.toDoubles(flat.gradients());
      assertThatThrownBy(() -> pass.backward(factors, factors))
          .isInstanceOf(IllegalStateException.class)
          .hasMessageContaining("once");
      pass.close();
      assertThatThrownBy(() -> pass.backward(factors, factors))
          .isInstanceOf(IllegalStateException.class)
          .hasMessageContaining("closed");
      try (LogProbPass other =
          engine.forward(model, PAIRS, TAIL, LogProbEngine.Purpose.STATISTICS)) {
        assertThatThrownBy(() -> other.backward(factors, factors))
            .isInstanceOf(IllegalStateException.class)
            .hasMessageContaining("no backward pass");
      }
      assertThat(Tensors.toDoubles(flat.gradients())).isEqualTo(gradients);
    }
  }

  /**
   * On the device "meta", whose tensors have shapes and no numbers and refuse to be mixed with
   * those of the CPU. It lacks kernels for a whole forward pass.
   */
  @Test
  void whatIsMadeBesideTheWeightsIsOnTheirDevice() {
    try (TensorScope scope = TensorScope.open();
        CausalLm model =
            SmallModel.LLAMA.build(
                (name, role, shape) ->
                    TensorScope.ownedHandle(
                        Tensors.zeros(ElementType.F32, shape)
                            .to(new Device("meta"), ScalarType.Float)))) {
      Tensor weight = model.parameters().all().get(0).tensor();
      DropoutMasks masks = DropoutMasks.of(1, (int) weight.size(0));
      Tensor positions = Tensors.indices(weight, PAIRS.positions());
      Tensor queries = Tensors.zerosLike(weight, PAIRS.tokens(), 4, 8);
      Tensor turned =
          model.rotations(positions).of(Rope.of(10_000, 8)).query(Node.of(queries)).value();
      List<Tensor> made =
          List.of(
              positions,
              queries,
              turned,
              Tensors.emptyLike(weight, 3),
              Tensors.like(weight, TAIL.of(PAIRS)),
              Node.of(weight, masks).dropout(0, 0.5).value());
      assertThat(made).allMatch(tensor -> tensor.device().str().getString().equals("meta"));
    }
  }

  /** A family whose layers have no backward formulas of their own. */
  @Test
  void aModelWithoutTapedLayersIsTrainedByAutogradOnTheCpuEngine() {
    try (CausalLm model = SmallModel.LLAMA.create(ElementType.F64, 2)) {
      double[] expected = gradients(model, LogProbEngine.autograd());
      assertThat(gradients(new Untaped(model), LogProbEngine.cpu())).isEqualTo(expected);
    }
  }

  private static double[] gradients(
      CausalLm model, LogProbEngine.Purpose purpose, AutogradPass.Sizes sizes) {
    return gradients(
        model,
        (policy, sequences, tail, wanted, dropoutSeed) ->
            AutogradPass.forward(policy, sequences, tail, purpose, sizes, dropoutSeed));
  }

  private static double[] gradients(CausalLm model, LogProbEngine engine) {
    try (FlatParameters flat = FlatParameters.of(model.trained())) {
      return backward(model, flat, engine);
    }
  }

  private static double[] backward(CausalLm model, FlatParameters flat, LogProbEngine engine) {
    try (TensorScope scope = TensorScope.open();
        LogProbPass pass = engine.forward(model, PAIRS, TAIL, LogProbEngine.Purpose.TRAINING)) {
      pass.backward(factors(pass.sums(), 1), factors(pass.sums(), 2));
      return Tensors.toDoubles(flat.gradients());
    }
  }

  private static Tensor factors(Tensor like, int seed) {
    return Tensors.like(
        like, IntStream.range(0, PAIRS.sequences()).mapToDouble(i -> Math.sin(i + seed)).toArray());
  }

  /** A model whose last norm has no backward formula. */
  private record Untaped(CausalLm model) implements CausalLm {
    @Override
    public List<String> untapedParts() {
      return List.of("the last norm");
    }

    @Override
    public Node finalNorm(Node states) {
      if (states.taped()) {
        throw new UnsupportedOperationException("there is no backward formula");
      }
      return model.finalNorm(states);
    }

    @Override
    public List<EmbeddingTable> embeddingTables() {
      return model.embeddingTables();
    }

    @Override
    public List<? extends DecoderBlock> blocks() {
      return model.blocks();
    }

    @Override
    public Rotations rotations(Tensor positions) {
      return model.rotations(positions);
    }

    @Override
    public Linear head() {
      return model.head();
    }

    @Override
    public Parameters parameters() {
      return model.parameters();
    }

    @Override
    public int vocabSize() {
      return model.vocabSize();
    }

    @Override
    public int maxPositions() {
      return model.maxPositions();
    }

    @Override
    public CausalLm copy() {
      return new Untaped(model.copy());
    }
  }
}
