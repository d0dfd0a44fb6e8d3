package org.dpo4j.torch;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Collectors;
import org.bytedeco.pytorch.Tensor;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Closes: activations that overlap, that are freed while in use, or whose memory is not reused. */
class ActivationArenaTest {

  /** Elements of a chunk in 32 bits: 64 MB. */
  private static final long CHUNK = 16L << 20;

  private static final long CACHE_LINE = 64; // bytes

  @BeforeEach
  void noFreeChunks() {
    Engine.setThreads(2);
    WorkerPool.get().freeUnused();
  }

  @AfterEach
  void noChunksLeft() {
    WorkerPool.get().freeUnused();
    Engine.setThreads(0);
  }

  @Test
  void tensorsHaveTheirShapesAndDoNotOverlap() {
    try (ActivationArena arena = arena(ElementType.F32);
        TensorScope scope = TensorScope.open()) {
      List<Tensor> all = new ArrayList<>();
      for (int i = 0; i < 20; i++) {
        all.add(arena.take(3, 1 + i).fill_(Tensors.scalar(i)));
      }
      for (int i = 0; i < 20; i++) {
        assertThat(all.get(i).shape()).containsExactly(3, 1 + i);
        assertThat(Tensors.toDoubles(all.get(i))).hasSize(3 * (1 + i)).containsOnly(i);
      }
    }
  }

  @Test
  void everyTensorOfAChunkBeginsAWholeNumberOfCacheLinesAfterTheFirst() {
    for (ElementType type : List.of(ElementType.F32, ElementType.F64)) {
      try (ActivationArena arena = arena(type);
          TensorScope scope = TensorScope.open()) {
        long first = address(arena.take(1));
        for (int i = 1; i < 40; i++) {
          assertThat((address(arena.take(i)) - first) % CACHE_LINE).isZero();
        }
      }
    }
  }

  @Test
  void anArenaGrowsByChunksAndByWhatALargerTensorNeeds() {
    try (ActivationArena arena = arena(ElementType.F32);
        TensorScope scope = TensorScope.open()) {
      Tensor first = arena.take(CHUNK - 100).narrow(0, 0, 5).fill_(Tensors.scalar(1));
      Tensor next = arena.take(101).fill_(Tensors.scalar(2));
      Tensor large = arena.take(2, CHUNK);
      assertThat(large.numel()).isEqualTo(2 * CHUNK);
      large.select(0, 1).narrow(0, CHUNK - 5, 5).fill_(Tensors.scalar(3));
      assertThat(Tensors.toDoubles(first)).containsOnly(1);
      assertThat(Tensors.toDoubles(next)).containsOnly(2);
    }
  }

  @Test
  void theNextArenaUsesTheMemoryOfAClosedOne() {
    Set<Long> before = chunksOfTwo();
    assertThat(before).hasSize(2);
    assertThat(chunksOfTwo()).isEqualTo(before);
  }

  @Test
  void arenasThatAreOpenTogetherHaveMemoryOfTheirOwn() {
    try (ActivationArena one = arena(ElementType.F32);
        ActivationArena two = arena(ElementType.F32);
        TensorScope scope = TensorScope.open()) {
      Tensor first = one.take(7).fill_(Tensors.scalar(1));
      Tensor second = two.take(7).fill_(Tensors.scalar(2));
      assertThat(Tensors.toDoubles(first)).containsOnly(1);
      assertThat(Tensors.toDoubles(second)).containsOnly(2);
    }
  }

  /** Closing twice must not lend the same chunk to two arenas. */
  @Test
  void anArenaGivesItsMemoryBackOnce() {
    ActivationArena closed = arena(ElementType.F32);
    try (TensorScope scope = TensorScope.open()) {
      closed.take(1);
      closed.close();
      closed.close();
    }
    arenasThatAreOpenTogetherHaveMemoryOfTheirOwn();
  }

  @Test
  void freeingUnusedMemoryLeavesOpenArenasAlone() {
    try (ActivationArena arena = arena(ElementType.F32);
        TensorScope scope = TensorScope.open()) {
      Tensor taken = arena.take(9).fill_(Tensors.scalar(4));
      WorkerPool.get().freeUnused();
      assertThat(Tensors.toDoubles(taken)).containsOnly(4);
    }
  }

  /** The addresses of an arena's two chunks. */
  private static Set<Long> chunksOfTwo() {
    try (ActivationArena arena = arena(ElementType.F32);
        TensorScope scope = TensorScope.open()) {
      return List.of(arena.take(CHUNK), arena.take(CHUNK)).stream()
          .map(ActivationArenaTest::address)
          .collect(Collectors.toCollection(TreeSet::new));
    }
  }

  private static ActivationArena arena(ElementType type) {
    return new ActivationArena(WorkerPool.get(), type);
  }

  private static long address(Tensor tensor) {
    return tensor.data_ptr().address();
  }
}
