package org.dpo4j;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.net.URISyntaxException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.bytedeco.pytorch.Tensor;
import org.dpo4j.data.ExampleReader;
import org.dpo4j.data.Row;
import org.dpo4j.torch.ElementType;
import org.dpo4j.torch.TensorScope;
import org.dpo4j.torch.Tensors;
import org.dpo4j.weights.Checkpoint;
import org.dpo4j.weights.SafetensorsFile;
import org.dpo4j.weights.SafetensorsWriter;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Closes: an interrupt that is told as a damaged file or a full disk. */
class InterruptionTest {

  private final Path folder;

  InterruptionTest(@TempDir Path folder) {
    this.folder = folder;
  }

  @Test
  void dataIsNotSaidToBeDamaged() {
    assertInterrupted(() -> rows("data-files/text-plain.parquet"));
  }

  /** Java's streams, unlike its channels, go on. */
  @Test
  void linesAreReadToTheirEnd() {
    Thread.currentThread().interrupt();
    try {
      assertThat(rows("data-files/text.jsonl")).isPositive();
    } finally {
      Thread.interrupted(); // the next test is not meant
    }
  }

  private static int rows(String name) {
    List<Row> read = new ArrayList<>();
    try (ExampleReader rows = ExampleReader.open(resource(name))) {
      rows.forEach(read::add);
    }
    return read.size();
  }

  @Test
  void weightsAreNotSaidToBeUnreadable() {
    Path model = resource("fixtures/models/llama");
    assertInterrupted(() -> SafetensorsFile.open(model.resolve("model.safetensors")));
    Checkpoint checkpoint = Checkpoint.open(model);
    assertInterrupted(checkpoint::sha256);
  }

  @Test
  void weightsAreNotSaidToBeImpossibleToWrite() {
    try (TensorScope scope = TensorScope.open()) {
      Tensor tensor = Tensors.zeros(ElementType.F32, 10);
      assertInterrupted(
          () ->
              SafetensorsWriter.write(
                  folder.resolve("w.safetensors"), Map.of("a", tensor), ElementType.F32));
    }
  }

  private static void assertInterrupted(ThrowingCallable work) {
    Thread.currentThread().interrupt();
    try {
      assertThatThrownBy(work)
          .isInstanceOf(DpoException.class)
          .hasMessageMatching("(?s)\\[.*] .*" + Interruption.REASON)
          .hasMessageNotContainingAny("null", "Exception", "whole", "again");
      assertThat(Thread.currentThread().isInterrupted()).isTrue();
    } finally {
      Thread.interrupted(); // the next test is not meant
    }
  }

  private static Path resource(String name) {
    try {
      return Path.of(
          Objects.requireNonNull(InterruptionTest.class.getResource("/" + name), name).toURI());
    } catch (URISyntaxException e) {
      throw new IllegalStateException(e);
    }
  }
}
