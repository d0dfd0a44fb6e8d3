package org.dpo4j.weights;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;
import static org.dpo4j.Closeness.relative;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Collectors;
import java.util.stream.LongStream;
import java.util.stream.Stream;
import org.assertj.core.data.Offset;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.dpo4j.batch.FlatSequences;
import org.dpo4j.logprob.LengthDesensitizing;
import org.dpo4j.logprob.LogProbEngine;
import org.dpo4j.logprob.LogProbPass;
import org.dpo4j.logprob.SequenceLogProbs;
import org.dpo4j.model.GrowingSequences;
import org.dpo4j.optim.FlatParameters;
import org.dpo4j.torch.ElementType;
import org.dpo4j.torch.NoGrad;
import org.dpo4j.torch.TensorScope;
import org.dpo4j.torch.Tensors;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import tools.jackson.databind.node.ObjectNode;

/**
 * Closes: a switch of a family that is read wrongly or not at all. The cases, each a tiny
 * checkpoint with the numbers that transformers computes from it, are made by {@code families.py}.
 */
class FamiliesTest {

  static List<Path> cases() throws IOException {
    try (Stream<Path> folders = Files.list(ModelFolders.fixture("families"))) {
      return folders.sorted().toList();
    }
  }

  @ParameterizedTest
  @MethodSource("cases")
  void logitsAgreeWithTransformers(Path folder) {
    try (LoadedModel loaded = ModelReader.open(folder);
        TensorScope scope = TensorScope.open();
        NoGrad noGrad = NoGrad.open()) {
      double[] found = Tensors.toDoubles(ModelReaderTest.logits(loaded.model(), ids(folder)));
      assertThat(found).usingElementComparator(relative(2e-5)).containsExactly(expected(folder));
    }
  }

  /** That of the tied head and of the lookups, of which the padding token's have none. */
  @ParameterizedTest
  @MethodSource("cases")
  void theEmbeddingsGradientAgreesWithTransformers(Path folder) {
    int[] ids = Arrays.stream(ids(folder)).mapToInt(Math::toIntExact).toArray();
    FlatSequences sequence =
        FlatSequences.of(Arrays.copyOf(ids, 1), Arrays.copyOfRange(ids, 1, ids.length));
    try (LoadedModel loaded = ModelReader.open(folder);
        FlatParameters flat = FlatParameters.of(loaded.model().trained());
        TensorScope scope = TensorScope.open()) {
      Tensor table = loaded.model().embeddingTables().get(0).table();
      Tensor gradient = Tensors.empty(ElementType.F32, table.shape());
      file(folder).copyTo("embedding_gradient", gradient);
      double[] expected = Tensors.toDoubles(gradient);
      // Sums over the sequence: relative to the largest. Rounding alone is 1.2e-5 with AVX2
      // kernels.
      Offset<Double> close = within(2e-5 * Arrays.stream(expected).map(Math::abs).max().orElse(0));

      SequenceLogProbs.logProbs(loaded.model(), sequence).sum().backward();
      assertThat(Tensors.toDoubles(table.grad())).containsExactly(expected, close);

      flat.zeroGradients();
      try (LogProbPass pass =
          LogProbEngine.cpu()
              .forward(
                  loaded.model(),
                  sequence,
                  LengthDesensitizing.NONE,
                  LogProbEngine.Purpose.TRAINING)) {
        pass.backward(
            Tensors.like(pass.sums(), new double[] {1}),
            Tensors.like(pass.sums(), new double[] {0}));
      }
      assertThat(Tensors.toDoubles(table.grad())).containsExactly(expected, close);
    }
  }

  /** As text is generated: some tokens at once, then one by one. */
  @ParameterizedTest
  @MethodSource("cases")
  void logitsAreTheSameWithKeysAndValuesKept(Path folder) {
    int[] ids = LongStream.of(ids(folder)).mapToInt(Math::toIntExact).toArray();
    double[] expected = expected(folder);
    for (int first : new int[] {1, 9}) {
      try (LoadedModel loaded = ModelReader.open(folder);
          TensorScope scope = TensorScope.open();
          GrowingSequences sequences = new GrowingSequences(loaded.model(), 3)) {
        int vocabulary = loaded.model().vocabSize();
        // Others beside it, one that began before and one that is removed again.
        sequences.read(new int[] {ids[2]});
        sequences.add();
        sequences.add();
        List<Tensor> rows = new ArrayList<>();
        rows.add(sequences.read(Arrays.copyOf(ids, first)));
        sequences.add();
        for (int i = first; i < ids.length; i++) {
          int[] next = new int[sequences.size()];
          Arrays.fill(next, ids[1]);
          int own = i == first ? 2 : 1;
          next[own] = ids[i];
          rows.add(Tensors.rows(sequences.append(next), 0, own, own + 1));
          if (i == first) {
            sequences.remove(1);
          }
        }
        assertThat(Tensors.toDoubles(Tensors.cat(rows, 0)))
            .usingElementComparator(relative(2e-5))
            .containsExactly(
                Arrays.copyOfRange(expected, (first - 1) * vocabulary, expected.length));
      }
    }
  }

  @ParameterizedTest
  @MethodSource("cases")
  void whatIsWrittenHasTheSameTensorsAndEveryKey(Path folder, @TempDir Path temp)
      throws IOException {
    Path copy = temp.resolve("copy");
    Path written = temp.resolve("written");
    Files.createDirectories(copy);
    try (Stream<Path> files = Files.list(folder)) {
      for (Path file : files.toList()) {
        Files.copy(file, copy.resolve(file.getFileName().toString()));
      }
    }
    ModelFolders.setConfig(copy, "some_later_key", "{\"a\": [1, null]}");
    try (LoadedModel loaded = ModelReader.open(copy)) {
      ElementType type = loaded.checkpoint().dtype();
      new ModelWriter().write(written, loaded, loaded.model(), type);
      Checkpoint before = Checkpoint.open(copy);
      Checkpoint after = Checkpoint.open(written);
      assertThat(after.names()).isEqualTo(before.names());
      assertThat(before.names()).allMatch(name -> same(name, before, after));
      ObjectNode config = HuggingFaceConfig.tree(written.resolve("config.json"));
      assertThat(config).isEqualTo(HuggingFaceConfig.tree(copy.resolve("config.json")));
    }
  }

  /** As the tensors of multi-token prediction in published files of Qwen3.5. */
  @Test
  void tensorsThatTransformersDoesNotLoadAreWrittenAsTheyWere(@TempDir Path temp)
      throws IOException {
    Path copy = Files.createDirectories(temp.resolve("copy"));
    Path fixture = ModelFolders.fixture("families/qwen3_5_text");
    for (String file : List.of("config.json", "model.safetensors")) {
      Files.copy(fixture.resolve(file), copy.resolve(file));
    }
    ModelFolders.editWeights(
        copy, weights -> weights.put("mtp.fc.weight", Tensors.floats(1, 2, 3)));
    try (LoadedModel loaded = ModelReader.open(copy)) {
      assertThat(logits(loaded)).isEqualTo(logits(fixture));
      Path written = temp.resolve("written");
      new ModelWriter().write(written, loaded, loaded.model(), ElementType.F32);
      assertThat(Checkpoint.open(written).names()).isEqualTo(Checkpoint.open(copy).names());
      assertThat(same("mtp.fc.weight", Checkpoint.open(copy), Checkpoint.open(written))).isTrue();
    }
  }

  static List<Path> wrappers() throws IOException {
    return cases().stream()
        .filter(folder -> new ModelFolder(folder).config().section("vision_config").isPresent())
        .toList();
  }

  /** Also in several files, and in another type, in which the other towers are not. */
  @ParameterizedTest
  @MethodSource("wrappers")
  void otherTowersAreWrittenAsTheyWere(Path folder, @TempDir Path temp) {
    try (LoadedModel loaded = ModelReader.open(folder);
        NoGrad noGrad = NoGrad.open()) {
      loaded.model().parameters().all().forEach(parameter -> add(parameter.tensor(), 0.5));
      Path single = temp.resolve("single");
      Path several = temp.resolve("several");
      new ModelWriter().write(single, loaded, loaded.model(), ElementType.F32);
      new ModelWriter(2000).write(several, loaded, loaded.model(), ElementType.F32);
      assertThat(several.resolve("model.safetensors.index.json")).exists();

      Checkpoint before = Checkpoint.open(folder);
      Set<String> own =
          loaded.model().parameters().all().stream()
              .map(parameter -> loaded.names().nameInFile(parameter.name()))
              .collect(Collectors.toSet());
      assertThat(before.names()).containsAll(own);
      for (Path written : List.of(single, several)) {
        Checkpoint after = Checkpoint.open(written);
        assertThat(after.names()).isEqualTo(before.names());
        assertThat(before.names())
            .allMatch(name -> own.contains(name) != same(name, before, after))
            .anyMatch(name -> !own.contains(name));
        assertThat(own).allMatch(name -> after.entry(name).dtype().equals("F32"));
        assertThat(logits(written)).isEqualTo(logits(loaded));
      }
    }
  }

  private static void add(Tensor tensor, double number) {
    try (TensorScope scope = TensorScope.open()) {
      tensor.detach().add_(new Scalar(number));
    }
  }

  private static boolean same(String name, Checkpoint before, Checkpoint after) {
    return after.entry(name).dtype().equals(before.entry(name).dtype())
        && after.file(name).sameBytes(name, before.file(name), name);
  }

  private static double[] logits(Path folder) {
    try (LoadedModel loaded = ModelReader.open(folder)) {
      return logits(loaded);
    }
  }

  private static double[] logits(LoadedModel loaded) {
    try (TensorScope scope = TensorScope.open();
        NoGrad noGrad = NoGrad.open()) {
      return Tensors.toDoubles(ModelReaderTest.logits(loaded.model(), new long[] {3, 1, 4, 1, 5}));
    }
  }

  @Test
  void everyFamilyAndTypeIsAmongTheCases() throws IOException {
    TreeSet<String> families = new TreeSet<>();
    TreeSet<ElementType> types = new TreeSet<>();
    for (Path folder : cases()) {
      families.add(new ModelFolder(folder).config().modelType());
      types.add(Checkpoint.open(folder).dtype());
    }
    assertThat(families).containsExactlyInAnyOrderElementsOf(ModelReader.modelTypes());
    assertThat(types)
        .containsExactly(ElementType.F64, ElementType.F32, ElementType.F16, ElementType.BF16);
  }

  private static long[] ids(Path folder) {
    try (TensorScope scope = TensorScope.open()) {
      Tensor ids = Tensors.empty(ElementType.I64, 24);
      file(folder).copyTo("input_ids", ids);
      return Tensors.toLongs(ids);
    }
  }

  private static double[] expected(Path folder) {
    try (TensorScope scope = TensorScope.open()) {
      Tensor logits = Tensors.empty(ElementType.F32, 24, 48);
      file(folder).copyTo("logits", logits);
      return Tensors.toDoubles(logits);
    }
  }

  private static SafetensorsFile file(Path folder) {
    return SafetensorsFile.open(folder.resolve("expected.safetensors"));
  }
}
