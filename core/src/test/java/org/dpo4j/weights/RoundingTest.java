package org.dpo4j.weights;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.bytedeco.pytorch.Tensor;
import org.dpo4j.DpoException;
import org.dpo4j.model.Parameters;
import org.dpo4j.model.lora.LoraConfig;
import org.dpo4j.model.lora.TargetModules;
import org.dpo4j.torch.ElementType;
import org.dpo4j.torch.NoGrad;
import org.dpo4j.torch.RandomNumbers;
import org.dpo4j.torch.TensorScope;
import org.dpo4j.torch.Tensors;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Closes: an update that is said to be saved and is rounded away, and the other way round. */
class RoundingTest {

  private static final String NORM = "transformer.ln_f.weight"; // 64 numbers

  private final Path temp;

  RoundingTest(@TempDir Path temp) {
    this.temp = temp;
  }

  /**
   * bf16 has 8 bits of precision, so its step at 1 is 2^-7. 10 weights of 1 get 2^-12, which is
   * lost, and 16 get 2^-6, which is kept: lost sqrt(10) 2^-12, update sqrt(10 2^-24 + 16 2^-12).
   */
  @Test
  void whatIsLostIsComparedWithWhatWasLearned() throws IOException {
    Path source = bfloat16(); // so that nothing else is rounded
    try (LoadedModel loaded = ModelReader.open(source);
        TensorScope scope = TensorScope.open();
        NoGrad noGrad = NoGrad.open()) {
      assertThat(Rounding.of(loaded, loaded.model(), ElementType.BF16))
          .isEqualTo(new Rounding(0, 0))
          .satisfies(none -> assertThat(none.share()).isZero());

      Tensor norm = norm(loaded);
      Tensors.rows(norm, 0, 0, 10).add_(Tensors.scalar(Math.scalb(1.0, -12)));
      Tensors.rows(norm, 0, 10, 26).add_(Tensors.scalar(Math.scalb(1.0, -6)));

      Rounding rounding = Rounding.of(loaded, loaded.model(), ElementType.BF16);
      double lost = Math.sqrt(10) * Math.scalb(1.0, -12);
      double update = Math.sqrt(10 * Math.scalb(1.0, -24) + 16 * Math.scalb(1.0, -12));
      assertThat(rounding.lost()).isCloseTo(lost, within(1e-9));
      assertThat(rounding.update()).isCloseTo(update, within(1e-9));
      assertThat(rounding.share()).isCloseTo(lost / update, within(1e-7));
      assertThat(Rounding.of(loaded, loaded.model(), ElementType.F32).share()).isZero();

      Rounding.round(loaded.model().parameters(), ElementType.BF16);
      assertThat(Tensors.toFloats(norm)).startsWith(1, 1, 1).contains(1 + 0x1p-6f);
      assertThat(Rounding.of(loaded, loaded.model(), ElementType.BF16).lost()).isZero();
    }
  }

  @Test
  void aValueThatIsTooLargeForTheTypeLosesAllAndIsNotRounded() throws IOException {
    try (LoadedModel loaded = ModelReader.open(bfloat16());
        NoGrad noGrad = NoGrad.open()) {
      norm(loaded).fill_(Tensors.scalar(1e5)); // fp16 ends at 65504
      assertThat(Rounding.of(loaded, loaded.model(), ElementType.F16).share())
          .isEqualTo(Double.POSITIVE_INFINITY);
      assertThatThrownBy(() -> Rounding.round(loaded.model().parameters(), ElementType.F16))
          .isInstanceOf(DpoException.class)
          .hasMessageContaining(NORM + " has values that are infinite as float16")
          .hasMessageContaining("save_dtype bfloat16 or float32");
    }
  }

  /**
   * B A with A = 1 + 2^-12, which bf16 rounds to 1, and B = 1: each element of s B A is s r (1 +
   * 2^-12) and loses s r 2^-12, so the share is 2^-12 / (1 + 2^-12), whatever the shapes. The
   * factors themselves moved by less: A from its random start.
   */
  @Test
  void ofAnAdapterTheProductIsComparedAndNotTheFactors() {
    try (LoadedModel loaded = ModelReader.open(ModelFolders.fixture("models/llama"));
        PeftAdapter adapter =
            PeftAdapter.create(
                new LoraConfig(
                    4,
                    8,
                    0,
                    false,
                    new TargetModules.Named(List.of("q_proj", "v_proj")),
                    List.of(),
                    Map.of(),
                    Map.of()),
                loaded,
                new RandomNumbers(0));
        NoGrad noGrad = NoGrad.open()) {
      Map<String, Tensor> start = Rounding.copies(adapter.model().trained());
      for (Parameters.Parameter parameter : adapter.model().trained().all()) {
        boolean a = parameter.name().contains("lora_A");
        parameter.tensor().fill_(Tensors.scalar(a ? 1 + Math.scalb(1.0, -12) : 1));
      }
      Rounding rounding = Rounding.of(start, adapter.model(), ElementType.BF16);
      double small = Math.scalb(1.0, -12);
      assertThat(rounding.share()).isCloseTo(small / (1 + small), within(1e-7));
      // s = 2, r = 4; two layers with q of 64 x 64 and v of 32 x 64.
      double elements = 2 * (64 * 64 + 32 * 64);
      assertThat(rounding.lost()).isCloseTo(8 * small * Math.sqrt(elements), within(1e-6));
      start.values().forEach(Tensors::free);
    }
  }

  private Path bfloat16() throws IOException {
    Path source = ModelFolders.copy("gpt2", temp.resolve("source"));
    ModelFolders.editWeights(source, t -> ModelFolders.get(t, NORM).fill_(Tensors.scalar(1)));
    try (LoadedModel loaded = ModelReader.open(source)) {
      new ModelWriter().write(temp.resolve("bf16"), loaded, loaded.model(), ElementType.BF16);
    }
    return temp.resolve("bf16");
  }

  private static Tensor norm(LoadedModel loaded) {
    return loaded.model().parameters().all().stream()
        .filter(parameter -> parameter.name().equals(NORM))
        .findFirst()
        .orElseThrow()
        .tensor();
  }
}
