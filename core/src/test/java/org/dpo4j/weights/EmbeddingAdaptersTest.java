package org.dpo4j.weights;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
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
import java.util.List;
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
import org.dpo4j.optim.FlatParameters;
import org.dpo4j.torch.ElementType;
import org.dpo4j.torch.Engine;
import org.dpo4j.torch.TensorScope;
import org.dpo4j.torch.Tensors;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Closes: an adapter on an embedding table, a head or both, that computes or learns something else
 * than in PEFT. The cases, with PEFT's numbers, are made by {@code record_embedding_adapters.py}.
 */
class EmbeddingAdaptersTest {

  static List<Path> cases() throws IOException {
    try (Stream<Path> folders = Files.list(ModelFolders.fixture("adapters/embeddings"))) {
      return folders.sorted().toList();
    }
  }

  @AfterEach
  void allThreadsAgain() {
    Engine.setThreads(0);
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
      try (PeftAdapter written = PeftAdapter.open("adapter", temp, base)) {
        requireClose(logits(written.model(), folder), expected, 1e-5);
        try (CausalLm copy = written.model().copy()) {
          assertThat(logits(copy, folder)).isEqualTo(logits(written.model(), folder));
        }
        double[] on = logits(written.model(), folder);
        double[] off = logits(written.model().base(), folder);
        assertThat(off).isNotEqualTo(on);
        assertThat(logits(written.model(), folder)).isEqualTo(on);
      }
    }
  }

  @ParameterizedTest
  @MethodSource("cases")
  void gradientsAreThoseOfPeftOnBothEnginesAndAnyNumberOfThreads(Path folder) {
    int[] ids = ids(folder);
    FlatSequences sequence =
        FlatSequences.of(Arrays.copyOf(ids, 1), Arrays.copyOfRange(ids, 1, ids.length));
    try (LoadedModel base = open(folder);
        PeftAdapter adapter = PeftAdapter.open("adapter", folder, base);
        FlatParameters flat = FlatParameters.of(adapter.model().trained())) {
      for (int threads : new int[] {1, 2, 3}) {
        Engine.setThreads(threads);
        for (LogProbEngine engine : List.of(LogProbEngine.cpu(), LogProbEngine.autograd())) {
          flat.zeroGradients();
          try (TensorScope scope = TensorScope.open();
              LogProbPass pass =
                  engine.forward(
                      adapter.model(),
                      sequence,
                      LengthDesensitizing.NONE,
                      LogProbEngine.Purpose.TRAINING)) {
            pass.backward(
                Tensors.like(pass.sums(), new double[] {1}),
                Tensors.like(pass.sums(), new double[] {0}));
            requireGradients(adapter, folder);
          }
        }
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

  private static void requireGradients(PeftAdapter adapter, Path folder) {
    for (Parameters.Parameter parameter : adapter.model().trained().all()) {
      requireClose(
          Tensors.toDoubles(parameter.tensor().grad()),
          read(folder, "gradient." + adapter.nameInFile(parameter.name())),
          5e-5);
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"table", "table_scaled", "table_and_head_autograd", "saved_tied", "tied"})
  void aMergedCheckpointAndItsRowsGiveTheAdaptersLogits(String name, @TempDir Path temp) {
    Path folder = ModelFolders.fixture("adapters/embeddings/" + name);
    Path merged = temp.resolve("merged");
    try (LoadedModel base = open(folder);
        PeftAdapter adapter = PeftAdapter.open("adapter", folder, base)) {
      adapter.model().requireMergeable();
      new ModelWriter().write(merged, base, adapter.model(), ElementType.F32);
    }
    try (LoadedModel written = ModelReader.open(merged)) {
      requireClose(logits(written.model(), folder), read(folder, "logits"), 1e-5);
      String table = table(written);
      try (StreamedModel streamed = StreamedModel.open("model", base(folder));
          TensorScope scope = TensorScope.open()) {
        streamed.adapt("adapter", folder);
        Tensor whole = written.model().embeddingTables().get(0).table();
        assertThat(Tensors.toDoubles(streamed.rows(table, 3, 9)))
            .usingElementComparator(relative(1e-5))
            .containsExactly(Tensors.toDoubles(Tensors.rows(whole, 0, 3, 9)));
      }
    }
  }

  private static String table(LoadedModel model) {
    return model.model().parameters().tableSlots().get(0).path() + ".weight";
  }

  @ParameterizedTest
  @ValueSource(strings = {"table_alone", "head_alone", "both_apart", "tied_scaled"})
  void usesThatDifferCannotBeMerged(String name) {
    Path folder = ModelFolders.fixture("adapters/embeddings/" + name);
    try (LoadedModel base = open(folder);
        PeftAdapter adapter = PeftAdapter.open("adapter", folder, base)) {
      assertThatThrownBy(() -> adapter.model().requireMergeable())
          .isInstanceOf(DpoException.class)
          .hasMessageContaining("ensure_weight_tying must be true, with one alpha and rank");
    }
  }
}
