package org.dpo4j.plan;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.dpo4j.model.AttentionLayer;
import org.dpo4j.model.ModelShape;
import org.junit.jupiter.api.Test;

/** Closes the defect that a part of the memory is forgotten or counted twice. */
class MemoryModelTest {

  /** Ten blocks, width 8, two heads of 4 with one for keys and values, MLP of 16. */
  private static final ModelShape SHAPE =
      new ModelShape(
          1000,
          8,
          2,
          1,
          4,
          16,
          true,
          true,
          Collections.nCopies(10, AttentionLayer.ALL),
          "model.layers",
          List.of(new ModelShape.Linear("q", 8, 8)),
          9000);

  private static final TokenLoad LOAD = new TokenLoad(1, 100, 50, 50, Map.of(), Map.of());
  private static final long PAIRS = 3;

  @Test
  void aTrainedWeightTakesSixteenBytes() {
    Map<MemoryModel.Part, Long> parts = peak(Optional.empty(), false, 0);

    assertThat(parts)
        .containsEntry(MemoryModel.Part.WEIGHTS, 4 * 9000L)
        .containsEntry(MemoryModel.Part.GRADIENTS, 4 * 9000L)
        .containsEntry(MemoryModel.Part.OPTIMIZER, 8 * 9000L)
        .containsEntry(MemoryModel.Part.REFERENCE, 0L);
  }

  @Test
  void aFrozenWeightTakesFour() {
    Map<MemoryModel.Part, Long> parts = peak(Optional.of(new AdapterShape(100, 100, 40)), false, 0);

    assertThat(parts)
        .containsEntry(MemoryModel.Part.WEIGHTS, 4 * (9000L + 100))
        .containsEntry(MemoryModel.Part.GRADIENTS, 4 * 100L)
        .containsEntry(MemoryModel.Part.OPTIMIZER, 8 * 100L);
  }

  @Test
  void aBlockKeepsItsStatesOfEveryToken() {
    // Twice the width of 8; q, k, v and what attention gave: 2 x (2 + 1) x 4; gate and up: 2 x 16.
    long kept = 16 + 24 + 32;
    // And two blocks more, for the gradients of the two whose backward pass is under way.
    assertThat(peak(Optional.empty(), false, 0))
        .containsEntry(MemoryModel.Part.ACTIVATIONS, 4 * 100 * 12 * kept);
  }

  @Test
  void withCheckpointingABlockKeepsWhatComesIn() {
    long kept = 16 + 24 + 32;

    assertThat(peak(Optional.empty(), true, 0))
        .containsEntry(MemoryModel.Part.ACTIVATIONS, 4 * 100 * (10 * 8 + 4 * kept));
  }

  @Test
  void logitsBeyondTheirBudgetAreNotKept() {
    TokenLoad large = new TokenLoad(1, 100, 1_000_000, 100, Map.of(), Map.of());

    assertThat(peak(Optional.empty(), false, 0))
        .containsEntry(MemoryModel.Part.LOGITS, 4 * 50 * 1000L);
    assertThat(new MemoryModel(SHAPE, Optional.empty(), false).peak(PAIRS, large, 0))
        .containsEntry(MemoryModel.Part.LOGITS, 0L);
  }

  @Test
  void theWholeIsTheSumOfItsParts() {
    Map<MemoryModel.Part, Long> parts = peak(Optional.empty(), false, 9000);

    assertThat(parts).hasSize(MemoryModel.Part.values().length);
    assertThat(parts).containsEntry(MemoryModel.Part.REFERENCE, 4 * 9000L);
    assertThat(MemoryModel.total(parts))
        .isEqualTo(parts.values().stream().mapToLong(Long::longValue).sum());
  }

  private static Map<MemoryModel.Part, Long> peak(
      Optional<AdapterShape> adapter, boolean checkpointing, long reference) {
    return new MemoryModel(SHAPE, adapter, checkpointing).peak(PAIRS, LOAD, reference);
  }
}
