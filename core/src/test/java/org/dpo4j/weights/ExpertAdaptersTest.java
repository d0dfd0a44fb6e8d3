package org.dpo4j.weights;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.withinPercentage;
import static org.dpo4j.Closeness.relative;
import static org.dpo4j.weights.RecordedAdapter.base;
import static org.dpo4j.weights.RecordedAdapter.ids;
import static org.dpo4j.weights.RecordedAdapter.logits;
import static org.dpo4j.weights.RecordedAdapter.open;
import static org.dpo4j.weights.RecordedAdapter.read;
import static org.dpo4j.weights.RecordedAdapter.requireClose;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.bytedeco.pytorch.Tensor;
import org.dpo4j.DpoException;
import org.dpo4j.batch.FlatSequences;
import org.dpo4j.logprob.LengthDesensitizing;
import org.dpo4j.logprob.LogProbEngine;
import org.dpo4j.logprob.LogProbPass;
import org.dpo4j.model.CausalLm;
import org.dpo4j.model.GrowingSequences;
import org.dpo4j.model.Parameters;
import org.dpo4j.model.lora.LoraModel;
import org.dpo4j.optim.FlatParameters;
import org.dpo4j.torch.ElementType;
import org.dpo4j.torch.NoGrad;
import org.dpo4j.torch.TensorScope;
import org.dpo4j.torch.Tensors;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;
import tools.jackson.databind.node.ObjectNode;

/**
 * Closes: an adapter on experts or routers that computes, learns, writes or merges something else
 * than in PEFT. The cases, with PEFT's numbers, are made by {@code record_expert_adapters.py}: the
 * experts are one by one in the files, joined, and joined with gate and input interleaved.
 */
class ExpertAdaptersTest {

  static List<Path> cases() throws IOException {
    try (Stream<Path> folders = Files.list(ModelFolders.fixture("adapters/experts"))) {
      return folders.sorted().toList();
    }
  }

  @ParameterizedTest
  @MethodSource("cases")
  void logitsAreThoseOfPeftAlsoAfterWriting(Path folder, @TempDir Path temp) {
    double[] expected = read(folder, "logits");
    try (LoadedModel base = open(folder)) {
      try (PeftAdapter adapter = PeftAdapter.open("adapter", folder, base)) {
        requireClose(logits(adapter.model(), folder), expected, 1e-5);
        adapter.write(temp, base, ElementType.F32);
      }
      assertThat(Checkpoint.openAdapter(temp).names())
          .isEqualTo(Checkpoint.openAdapter(folder).names());
      try (PeftAdapter written = PeftAdapter.open("adapter", temp, base)) {
        double[] on = logits(written.model(), folder);
        requireClose(on, expected, 1e-5);
        try (CausalLm copy = written.model().copy()) {
          assertThat(logits(copy, folder)).isEqualTo(on);
        }
        assertThat(logits(written.model().base(), folder)).isNotEqualTo(on);
        assertThat(logits(written.model(), folder)).isEqualTo(on);
      }
    }
  }

  @ParameterizedTest
  @MethodSource("cases")
  void gradientsAreThoseOfPeftOnBothEngines(Path folder) {
    for (LogProbEngine engine : List.of(LogProbEngine.cpu(), LogProbEngine.autograd())) {
      requireGradients(engine, folder);
    }
  }

  private static void requireGradients(LogProbEngine engine, Path folder) {
    int[] ids = ids(folder);
    FlatSequences sequence =
        FlatSequences.of(Arrays.copyOf(ids, 1), Arrays.copyOfRange(ids, 1, ids.length));
    try (LoadedModel base = open(folder);
        PeftAdapter adapter = PeftAdapter.open("adapter", folder, base);
        FlatParameters flat = FlatParameters.of(adapter.model().trained());
        TensorScope scope = TensorScope.open();
        LogProbPass pass =
            engine.forward(
                adapter.model(),
                sequence,
                LengthDesensitizing.NONE,
                LogProbEngine.Purpose.TRAINING)) {
      flat.zeroGradients();
      pass.backward(
          Tensors.like(pass.sums(), new double[] {1}), Tensors.like(pass.sums(), new double[] {0}));
      for (Parameters.Parameter parameter : adapter.model().trained().all()) {
        requireClose(
            Tensors.toDoubles(parameter.tensor().grad()),
            read(folder, "gradient." + adapter.nameInFile(parameter.name())),
            5e-5);
      }
    }
  }

  /** As text is generated: some tokens at once, then one by one. */
  @ParameterizedTest
  @MethodSource("cases")
  void logitsAreThoseOfPeftWithKeysAndValuesKept(Path folder) {
    int[] ids = ids(folder);
    int first = 5;
    try (LoadedModel base = open(folder);
        PeftAdapter adapter = PeftAdapter.open("adapter", folder, base);
        TensorScope scope = TensorScope.open();
        GrowingSequences sequences = new GrowingSequences(adapter.model(), 1)) {
      List<Tensor> rows = new ArrayList<>();
      rows.add(sequences.read(Arrays.copyOf(ids, first)));
      sequences.add();
      for (int i = first; i < ids.length; i++) {
        rows.add(sequences.append(new int[] {ids[i]}));
      }
      double[] expected = read(folder, "logits");
      int vocabulary = expected.length / ids.length;
      requireClose(
          Tensors.toDoubles(Tensors.cat(rows, 0)),
          Arrays.copyOfRange(expected, (first - 1) * vocabulary, expected.length),
          1e-5);
    }
  }

  @ParameterizedTest
  @MethodSource("cases")
  void aMergedCheckpointAndItsRowsAreThoseOfThePeftModel(Path folder, @TempDir Path temp) {
    Path merged = temp.resolve("merged");
    try (LoadedModel base = open(folder);
        PeftAdapter adapter = PeftAdapter.open("adapter", folder, base)) {
      adapter.model().requireMergeable();
      new ModelWriter().write(merged, base, adapter.model(), ElementType.F32);
      assertThat(Checkpoint.open(merged).names()).isEqualTo(base.checkpoint().names());
    }
    try (LoadedModel written = ModelReader.open(merged);
        StreamedModel streamed = StreamedModel.open("model", base(folder));
        TensorScope scope = TensorScope.open()) {
      requireClose(logits(written.model(), folder), read(folder, "logits"), 1e-5);
      streamed.adapt("adapter", folder);
      for (Parameters.Parameter parameter : written.model().parameters().all()) {
        long rows = parameter.tensor().size(0);
        assertThat(Tensors.toDoubles(streamed.rows(parameter.name(), 1, rows)))
            .as(parameter.name())
            .usingElementComparator(relative(1e-5))
            .containsExactly(Tensors.toDoubles(Tensors.rows(parameter.tensor(), 0, 1, rows)));
      }
    }
  }

  /** Without B an adapter changes nothing. */
  @ParameterizedTest
  @MethodSource("cases")
  void theDistanceToAnAdapterWithoutEffectIsTheNormOfTheChange(Path folder) {
    try (LoadedModel base = open(folder);
        PeftAdapter adapter = PeftAdapter.open("adapter", folder, base);
        TensorScope scope = TensorScope.open();
        NoGrad noGrad = NoGrad.open()) {
      Map<String, Tensor> now = new HashMap<>();
      Map<String, Tensor> none = new HashMap<>();
      for (Parameters.Parameter parameter : adapter.model().trained().all()) {
        Tensor tensor = parameter.tensor();
        now.put(parameter.name(), tensor);
        none.put(
            parameter.name(),
            parameter.name().endsWith(LoraModel.B)
                ? Tensors.zerosLike(tensor, tensor.shape())
                : tensor);
      }
      double squares = 0;
      for (Parameters.Parameter parameter : base.model().parameters().all()) {
        double norm =
            Tensors.norm(adapter.model().effective(parameter).sub(parameter.tensor()).contiguous());
        squares += norm * norm;
      }
      assertThat(adapter.model().distance(now, none))
          .isCloseTo(Math.sqrt(squares), withinPercentage(0.01));
    }
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "lora_dropout | 0.1 | target_parameters needs an adapter without dropout, as in PEFT, but lora_dropout is 0.1",
        "use_dora | true | target_parameters works, as in PEFT, without use_dora",
        "modules_to_save | [\"block_sparse_moe\"] | both name model.layers.0.mlp.",
        "target_parameters | [\"q_proj.weight\"] | must name matrices of experts or routers but q_proj.weight finds model.layers.0.self_attn.q_proj.weight; the model has mlp.experts.gate_up_proj, mlp.experts.down_proj and mlp.gate.weight",
        "target_parameters | \"down_proj\" | \"target_parameters\" must be a list of names",
      })
  void whatPeftDoesNotDoIsRefused(String key, String value, String says, @TempDir Path temp)
      throws IOException {
    Path folder = ModelFolders.fixture("adapters/experts/apart");
    for (String file : List.of(PeftAdapter.CONFIG, Checkpoint.ADAPTER)) {
      Files.copy(folder.resolve(file), temp.resolve(file));
    }
    ObjectNode json = HuggingFaceConfig.tree(temp.resolve(PeftAdapter.CONFIG));
    json.set(key, Json.STRICT.readTree(value));
    Files.writeString(temp.resolve(PeftAdapter.CONFIG), json.toString());
    try (LoadedModel base = open(folder)) {
      assertThatThrownBy(() -> PeftAdapter.open("adapter", temp, base))
          .isInstanceOf(DpoException.class)
          .hasMessageContaining(says);
    }
  }
}
