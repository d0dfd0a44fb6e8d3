package org.dpo4j.weights;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.nio.file.Path;
import java.util.Arrays;
import org.bytedeco.pytorch.Tensor;
import org.dpo4j.model.CausalLm;
import org.dpo4j.torch.ElementType;
import org.dpo4j.torch.NoGrad;
import org.dpo4j.torch.TensorScope;
import org.dpo4j.torch.Tensors;

/** An adapter of PEFT's with what it computes, in {@code expected.safetensors} beside it. */
final class RecordedAdapter {

  private RecordedAdapter() {}

  /** Sums of many products in fp32, beside PEFT's in fp64: relative to the largest. */
  static void requireClose(double[] found, double[] expected, double tolerance) {
    double largest = Arrays.stream(expected).map(Math::abs).max().orElse(0);
    assertThat(found).containsExactly(expected, within(tolerance * largest));
  }

  static LoadedModel open(Path folder) {
    return ModelReader.open(base(folder));
  }

  static Path base(Path folder) {
    return ModelFolders.fixture(PeftAdapter.baseName("adapter", folder).orElseThrow());
  }

  static double[] logits(CausalLm model, Path folder) {
    long[] ids = Arrays.stream(ids(folder)).asLongStream().toArray();
    try (TensorScope scope = TensorScope.open();
        NoGrad noGrad = NoGrad.open()) {
      return Tensors.toDoubles(ModelReaderTest.logits(model, ids));
    }
  }

  static int[] ids(Path folder) {
    return Arrays.stream(read(folder, "ids")).mapToInt(id -> (int) id).toArray();
  }

  static double[] read(Path folder, String name) {
    SafetensorsFile file = SafetensorsFile.open(folder.resolve("expected.safetensors"));
    long[] shape = file.entry(name).shape().stream().mapToLong(Long::longValue).toArray();
    try (TensorScope scope = TensorScope.open()) {
      Tensor values = Tensors.empty(name.equals("ids") ? ElementType.I64 : ElementType.F32, shape);
      file.copyTo(name, values);
      return name.equals("ids")
          ? Arrays.stream(Tensors.toLongs(values)).asDoubleStream().toArray()
          : Tensors.toDoubles(values);
    }
  }
}
