package org.dpo4j.model.lora;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;
import static org.dpo4j.Closeness.relative;

import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.OptionalLong;
import org.bytedeco.pytorch.Tensor;
import org.dpo4j.DpoException;
import org.dpo4j.batch.FlatSequences;
import org.dpo4j.logprob.LengthDesensitizing;
import org.dpo4j.logprob.LogProbEngine;
import org.dpo4j.logprob.LogProbPass;
import org.dpo4j.logprob.SequenceLogProbs;
import org.dpo4j.model.CausalLm;
import org.dpo4j.model.DecoderBlock;
import org.dpo4j.model.Linear;
import org.dpo4j.model.Node;
import org.dpo4j.model.ParameterSource;
import org.dpo4j.model.Parameters;
import org.dpo4j.model.RandomParameters;
import org.dpo4j.model.SmallModel;
import org.dpo4j.model.decoder.Decoder;
import org.dpo4j.model.decoder.DecoderConfig;
import org.dpo4j.optim.AdamW;
import org.dpo4j.optim.FlatParameters;
import org.dpo4j.torch.ElementType;
import org.dpo4j.torch.NoGrad;
import org.dpo4j.torch.RandomNumbers;
import org.dpo4j.torch.TensorScope;
import org.dpo4j.torch.Tensors;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * Closes: an adapter that computes something else than W x + s B A x, one that is trained together
 * with its base, and a reference or a merged model that is not what it is said to be.
 */
class LoraModelTest {

  private static final int[] PROMPT = {1, 2, 3};
  private static final int[] COMPLETION = {4, 5, 6, 7};

  /** One way of storing a linear layer each. */
  enum Kind {
    LLAMA("q_proj", "norm") {
      @Override
      CausalLm build(ParameterSource weights) {
        return llama(true, weights);
      }
    },
    GPT2("c_attn", "ln_f") {
      @Override
      CausalLm build(ParameterSource weights) {
        return SmallModel.GPT2.build(weights);
      }
    };

    private final String target;
    private final String norm;

    Kind(String target, String norm) {
      this.target = target;
      this.norm = norm;
    }

    abstract CausalLm build(ParameterSource weights);

    CausalLm create() {
      return build(new RandomParameters(ElementType.F32, new RandomNumbers(1)));
    }
  }

  /** x W^T alone, with the identity as W. */
  private static final class OneLayer implements CausalLm {
    private final Parameters parameters = new Parameters();
    private final Linear layer =
        Linear.take(
            parameters,
            (name, kind, shape) -> kept(Tensors.floats(1, 0, 0, 1), shape),
            "fc",
            2,
            2,
            false);

    @Override
    public List<EmbeddingTable> embeddingTables() {
      throw new UnsupportedOperationException();
    }

    @Override
    public List<DecoderBlock> blocks() {
      return List.of();
    }

    @Override
    public Node finalNorm(Node states) {
      throw new UnsupportedOperationException();
    }

    @Override
    public Linear head() {
      return layer;
    }

    @Override
    public Parameters parameters() {
      return parameters;
    }

    @Override
    public int vocabSize() {
      return 2;
    }

    @Override
    public int maxPositions() {
      return 1;
    }

    @Override
    public CausalLm copy() {
      throw new UnsupportedOperationException();
    }
  }

  @Test
  void aLayerGivesItsOwnOutputAndTheScaledProductOfTheFactors() {
    // A = (1 2), B = (3 4)^T, scale 0.5 / 1: for x = (1 2), A x = 5, 0.5 B A x = (7.5 10).
    LoraConfig config =
        new LoraConfig(
            1, 0.5, 0, false, new TargetModules.AllLinear(), List.of(), Map.of(), Map.of());
    ParameterSource factors =
        (name, kind, shape) ->
            kept(name.contains("lora_A") ? Tensors.floats(1, 2) : Tensors.floats(3, 4), shape);
    try (CausalLm base = new OneLayer();
        LoraModel model = new LoraModel(base, config, factors);
        TensorScope scope = TensorScope.open()) {
      Tensor input = Tensors.floats(1, 2).view(1, 2);
      assertThat(Tensors.toDoubles(model.logits(input))).containsExactly(1 + 7.5, 2 + 10);
      assertThat(Tensors.toDoubles(model.base().logits(input))).containsExactly(1, 2);
      // W + 0.5 B A = (1 0; 0 1) + 0.5 (3 6; 4 8)
      assertThat(Tensors.toDoubles(model.effective(base.parameters().all().get(0))))
          .containsExactly(1 + 1.5, 3, 2, 1 + 4);
    }
  }

  @ParameterizedTest
  @EnumSource
  void aNewAdapterChangesNothingAndItsFactorsAreZeroAndAsPyTorchDrawsThem(Kind kind) {
    try (CausalLm base = kind.create()) {
      double before = logProb(base);
      try (LoraModel model =
          new LoraModel(base, config(kind), LoraModel.fresh(base, new RandomNumbers(1)))) {
        assertThat(logProb(model)).isEqualTo(before);
        for (Parameters.Parameter parameter : model.trained().all()) {
          double[] values = Tensors.toDoubles(parameter.tensor());
          if (parameter.name().endsWith("lora_B.weight")) {
            assertThat(values).containsOnly(0);
          } else if (parameter.name().endsWith("lora_A.weight")) {
            // kaiming_uniform with a = sqrt(5): within 1/sqrt(in) of 0, here 1/4
            assertThat(Arrays.stream(values).map(Math::abs).max().orElseThrow())
                .isBetween(0.2, 0.25);
          }
        }
      }
    }
  }

  /** Of 24 entries and width 16: B normal, or within 1/sqrt(16) where the tied head uses it. */
  @ParameterizedTest
  @CsvSource({"false, 1.5, 6", "true, 0.2, 0.25"})
  void aNewAdapterOfATableChangesNothing(boolean tying, double least, double most) {
    try (CausalLm base = Kind.LLAMA.create()) {
      double before = logProb(base);
      try (LoraModel model =
          new LoraModel(
              base,
              onTable(List.of("embed_tokens"), tying),
              LoraModel.fresh(base, new RandomNumbers(1)))) {
        assertThat(logProb(model)).isEqualTo(before);
        assertThat(model.plan().tiedHead() != null).isEqualTo(tying);
        double[] a = Tensors.toDoubles(model.trained().all().get(0).tensor());
        double[] b = Tensors.toDoubles(model.trained().all().get(1).tensor());
        assertThat(a).hasSize(2 * 24).containsOnly(0);
        assertThat(b).hasSize(16 * 2);
        assertThat(Arrays.stream(b).map(Math::abs).max().orElseThrow()).isBetween(least, most);
      }
    }
  }

  private static LoraConfig onTable(List<String> targets, boolean tying) {
    return new LoraConfig(
        2,
        4,
        0,
        false,
        false,
        new LayerChoice(new TargetModules.Named(targets)),
        LoraConfig.Bias.NONE,
        List.of(),
        Map.of(),
        Map.of(),
        tying);
  }

  @Test
  void tyingWhereNothingIsTiedIsAMistakeInANewAdapter() {
    LoraConfig config = onTable(List.of("q_proj"), true);
    RandomNumbers random = new RandomNumbers(1);
    try (CausalLm tied = Kind.LLAMA.create();
        CausalLm untied = llama(false, new RandomParameters(ElementType.F32, random))) {
      assertThatThrownBy(() -> LoraPlan.of(config, tied).requireAllUsed(config, tied))
          .hasMessageContaining("ensure_weight_tying needs embed_tokens or lm_head in target_modu");
      assertThatThrownBy(() -> LoraPlan.of(config, untied).requireAllUsed(config, untied))
          .hasMessageContaining("ensure_weight_tying needs a model whose head is the embedding");
      LoraConfig both = onTable(List.of("lm_head"), true);
      LoraPlan.of(both, tied).requireAllUsed(both, tied);
    }
  }

  @ParameterizedTest
  @EnumSource
  void trainingChangesTheAdapterAloneAndFrozenWeightsGetNoGradients(Kind kind) {
    try (CausalLm base = kind.create();
        LoraModel model =
            new LoraModel(base, config(kind), LoraModel.fresh(base, new RandomNumbers(1)))) {
      double[] frozen = weights(base.parameters(), kind.norm);
      double before = logProb(model);
      try (FlatParameters flat = FlatParameters.of(model.trained());
          AdamW optimizer = new AdamW(flat, AdamW.Settings.ADAM)) {
        assertThat(flat.count()).isEqualTo(model.trained().count());
        for (int step = 0; step < 3; step++) {
          flat.zeroGradients();
          try (TensorScope scope = TensorScope.open()) {
            SequenceLogProbs.sequenceLogProb(model, PROMPT, COMPLETION).neg().backward();
            for (Parameters.Parameter parameter : base.parameters().all()) {
              boolean trains = isNorm(parameter, kind.norm);
              assertThat(parameter.tensor().requires_grad()).isEqualTo(trains);
              assertThat(parameter.tensor().grad().defined()).isEqualTo(trains);
            }
          }
          optimizer.step(1e-2);
        }
      }
      assertThat(logProb(model)).isGreaterThan(before + 0.01);
      assertThat(weights(base.parameters(), kind.norm)).isEqualTo(frozen);
      for (Parameters.Parameter parameter : model.trained().all()) {
        assertThat(Tensors.toDoubles(parameter.tensor())).as(parameter.name()).isNotEmpty();
      }
    }
  }

  @ParameterizedTest
  @EnumSource
  void withTheAdapterOffOrClosedTheBaseComputesAsBefore(Kind kind) {
    try (CausalLm base = kind.create()) {
      double before = logProb(base);
      double[] weights = weights(base.parameters(), "none");
      try (LoraModel model = new LoraModel(base, config(kind), random())) {
        double on = logProb(model);
        assertThat(Math.abs(on - before)).isGreaterThan(0.01);
        assertThat(logProb(model.base())).isEqualTo(before);
        assertThat(logProb(model)).isEqualTo(on);
      }
      assertThat(logProb(base)).isEqualTo(before);
      assertThat(weights(base.parameters(), "none")).isEqualTo(weights);
    }
  }

  @ParameterizedTest
  @EnumSource
  void aCopyComputesWithItsOwnValuesOfWhatIsTrained(Kind kind) {
    try (CausalLm base = kind.create()) {
      double before = logProb(base);
      try (LoraModel model = new LoraModel(base, config(kind), random());
          CausalLm copy = model.copy()) {
        double on = logProb(model);
        assertThat(logProb(copy)).isEqualTo(on);
        for (Parameters.Parameter parameter : copy.trained().all()) {
          Tensors.overwrite(
              parameter.tensor(),
              Tensors.zerosLike(parameter.tensor(), parameter.tensor().shape()));
        }
        double zero = logProb(copy);
        assertThat(Math.abs(zero - on)).isGreaterThan(0.01);
        assertThat(logProb(model)).isEqualTo(on);
        assertThat(logProb(model.base())).isEqualTo(before);
        for (Parameters.Parameter parameter : model.trained().all()) {
          Tensors.overwrite(
              parameter.tensor(),
              Tensors.zerosLike(parameter.tensor(), parameter.tensor().shape()));
        }
        assertThat(logProb(model)).isEqualTo(zero);
      }
      assertThat(logProb(base)).isEqualTo(before);
    }
  }

  @ParameterizedTest
  @EnumSource
  void aModelOfTheEffectiveWeightsComputesWhatTheAdapterDoes(Kind kind) {
    try (CausalLm base = kind.create();
        LoraModel model = new LoraModel(base, config(kind), random());
        TensorScope scope = TensorScope.open()) {
      double on = logProb(model);
      List<Tensor> effective =
          base.parameters().all().stream().map(weight -> model.effective(weight)).toList();
      try (CausalLm merged = kind.create()) {
        for (int i = 0; i < effective.size(); i++) {
          Tensors.overwrite(merged.parameters().all().get(i).tensor(), effective.get(i));
        }
        assertThat(logProb(merged)).usingComparator(relative(1e-4)).isEqualTo(on);
      }
    }
  }

  @Test
  void dropoutIsAppliedInPassesWithASeedOnceItIsEnabled() {
    try (CausalLm base = Kind.LLAMA.create();
        LoraModel model = new LoraModel(base, config(Kind.LLAMA), random());
        TensorScope scope = TensorScope.open()) {
      double plain = logProb(model);
      model.trained().requireGradients(true);
      assertThat(dropped(model, 1)).isEqualTo(plain);
      model.enableDropout();
      double dropped = dropped(model, 1);
      assertThat(dropped).isNotCloseTo(plain, within(1e-3));
      assertThat(dropped(model, 1)).isEqualTo(dropped);
      assertThat(dropped(model, 2)).isNotEqualTo(dropped);
      assertThat(logProb(model)).isEqualTo(plain);
      model.trained().requireGradients(false);
    }
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "norm         | '' | must name linear layers or the embedding table but norm finds model.norm",
        "mlp          | '' | mlp finds model.layers.0.mlp, which is neither",
        "c_attn       | '' | but c_attn finds none; it has down_proj, gate_proj, k_proj",
        "q_proj       | lm_head | lm_head finds none: the head is the embedding table",
        "q_proj       | embed_tokens | which is the head as well (tie_word_embeddings)",
        "q_proj       | score | modules_to_save must name modules of the model but score finds",
        "q_proj       | attn | both name model.layers.0.self_attn.q_proj",
      })
  void whatCannotBeAdaptedIsRefusedWithTheReason(String target, String save, String says) {
    LoraConfig config =
        new LoraConfig(
            2,
            4,
            0,
            false,
            new TargetModules.Named(List.of(target)),
            save.isEmpty() ? List.of() : List.of(save),
            Map.of(),
            Map.of());
    try (CausalLm base = Kind.LLAMA.create()) {
      assertThatThrownBy(
              () ->
                  new LoraModel(base, config, LoraModel.fresh(base, new RandomNumbers(1))).close())
          .isInstanceOf(DpoException.class)
          .hasMessageContaining(says);
    }
  }

  @Test
  void anUntiedHeadAndTableCanBeTrainedInFullAndAllLinearLeavesTheHead() {
    LoraConfig config =
        new LoraConfig(
            2,
            4,
            0,
            false,
            new TargetModules.AllLinear(),
            List.of("lm_head", "embed_tokens"),
            Map.of(),
            Map.of());
    RandomNumbers random = new RandomNumbers(1);
    try (CausalLm base = llama(false, new RandomParameters(ElementType.F32, random));
        LoraModel model = new LoraModel(base, config, LoraModel.fresh(base, random))) {
      assertThat(model.plan().saved())
          .extracting(Parameters.Parameter::name)
          .containsExactlyInAnyOrder("model.embed_tokens.weight", "lm_head.weight");
      // Two layers of four attention and three MLP matrices.
      assertThat(model.plan().layers()).hasSize(14);
    }
  }

  private static CausalLm llama(boolean tied, ParameterSource weights) {
    DecoderConfig llama = (DecoderConfig) SmallModel.LLAMA.config();
    return new Decoder(
        llama.with(
            d -> {
              d.head = d.head.withTied(tied);
              d.embedding = d.embedding.withPadding(CausalLm.EmbeddingTable.NONE);
            }),
        weights);
  }

  /** An adapter of rank 2 on one kind of layer, the last norm in full; dropout 0.5. */
  private static LoraConfig config(Kind kind) {
    return new LoraConfig(
        2,
        4,
        0.5,
        false,
        new TargetModules.Named(List.of(kind.target)),
        List.of(kind == Kind.LLAMA ? "model.norm" : kind.norm),
        Map.of(),
        Map.of());
  }

  /** Factors that do something: none of them zero. */
  private static ParameterSource random() {
    RandomParameters random = new RandomParameters(ElementType.F32, new RandomNumbers(2));
    return (name, kind, shape) -> random.take(name, ParameterSource.Kind.EMBEDDING, shape);
  }

  private static boolean isNorm(Parameters.Parameter parameter, String norm) {
    return parameter.name().startsWith("model." + norm + ".")
        || parameter.name().startsWith("transformer." + norm + ".");
  }

  /** All weights but those of one norm. */
  private static double[] weights(Parameters parameters, String norm) {
    return parameters.all().stream()
        .filter(parameter -> !isNorm(parameter, norm))
        .flatMapToDouble(parameter -> Arrays.stream(Tensors.toDoubles(parameter.tensor())))
        .toArray();
  }

  private static double logProb(CausalLm model) {
    try (TensorScope scope = TensorScope.open();
        NoGrad noGrad = NoGrad.open()) {
      return SequenceLogProbs.sequenceLogProb(model, PROMPT, COMPLETION).item_double();
    }
  }

  private static double dropped(LoraModel model, long seed) {
    try (TensorScope scope = TensorScope.open();
        LogProbPass pass =
            LogProbEngine.autograd()
                .forward(
                    model,
                    FlatSequences.of(PROMPT, COMPLETION),
                    LengthDesensitizing.NONE,
                    LogProbEngine.Purpose.TRAINING,
                    OptionalLong.of(seed))) {
      return pass.sums().item_double();
    }
  }

  private static Tensor kept(Tensor values, long[] shape) {
    try (TensorScope scope = TensorScope.open()) {
      return scope.disown(values.view(shape).clone());
    }
  }
}
