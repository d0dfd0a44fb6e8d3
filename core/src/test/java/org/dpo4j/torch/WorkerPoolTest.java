package org.dpo4j.torch;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.IntStream;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** Closes: work of several callers that is mixed up, waits for ever, or leaves other settings. */
class WorkerPoolTest {

  @AfterEach
  void allThreadsAgain() {
    Engine.setThreads(0);
  }

  @Test
  void everyBodyRunsOnceOnEachThreadAlone() {
    for (int size : new int[] {1, 2, 3}) {
      Engine.setThreads(size);
      AtomicInteger[] runs = counters(size);
      WorkerPool.get()
          .runOnEach(
              thread -> {
                assertThat(torch.get_num_threads()).isEqualTo(1);
                runs[thread].incrementAndGet();
              });
      assertThat(runs).allMatch(count -> count.get() == 1);
      assertThat(torch.get_num_threads()).isEqualTo(size);
    }
  }

  /** Two threads that share a pool, and a third one with a pool of another size. */
  @Test
  void callersTakeTurns() throws Exception {
    Engine.setThreads(2);
    AtomicBoolean mixed = new AtomicBoolean();
    List<Thread> callers =
        IntStream.of(2, 2, 3)
            .mapToObj(
                size ->
                    new Thread(
                        () -> {
                          try (Engine.Threads threads = Engine.use(size)) {
                            for (int i = 0; i < 300; i++) {
                              AtomicInteger[] runs = counters(size);
                              WorkerPool.get().runOnEach(thread -> runs[thread].incrementAndGet());
                              for (AtomicInteger count : runs) {
                                mixed.compareAndSet(false, count.get() != 1);
                              }
                            }
                          }
                        }))
            .toList();
    callers.forEach(Thread::start);
    for (Thread caller : callers) {
      caller.join();
    }
    assertThat(mixed).isFalse();
    assertThat(Engine.threads()).isEqualTo(2);
  }

  private static AtomicInteger[] counters(int count) {
    return IntStream.range(0, count)
        .mapToObj(i -> new AtomicInteger())
        .toArray(AtomicInteger[]::new);
  }

  @Test
  void aBodyThatHandsOutWorkIsRefused() {
    Engine.setThreads(2);
    WorkerPool workers = WorkerPool.get();
    for (int by : new int[] {0, 1}) { // the caller's thread, and a worker
      assertThatThrownBy(
              () ->
                  workers.runOnEach(
                      thread -> {
                        if (thread == by) {
                          workers.runOnEach(inner -> {});
                        }
                      }))
          .isInstanceOf(IllegalStateException.class)
          .hasMessageContaining("must not call a pool");
    }
    workers.runOnEach(thread -> {}); // goes on
  }

  @Test
  void whatABodyThrowsReachesTheCallerAndTheTeamGoesOn() {
    Engine.setThreads(2);
    WorkerPool workers = WorkerPool.get();
    assertThatThrownBy(
            () ->
                workers.runOnEach(
                    thread -> {
                      throw new IllegalArgumentException("thread " + thread);
                    }))
        .hasMessage("thread 0");
    AtomicInteger runs = new AtomicInteger();
    workers.runOnEach(thread -> runs.incrementAndGet());
    assertThat(runs).hasValue(2);
  }

  @Test
  void memoryThatIsLentIsLentOnce() {
    WorkerPool workers = WorkerPool.get();
    try (TensorScope scope = TensorScope.open();
        WorkerPool.Buffer one = workers.buffer(ElementType.F32, 1000);
        WorkerPool.Buffer two = workers.buffer(ElementType.F32, 1000);
        ActivationArena arena = workers.arena(ElementType.F32);
        ActivationArena other = workers.arena(ElementType.F32)) {
      List<Tensor> all = List.of(one.tensor(), two.tensor(), arena.take(1000), other.take(1000));
      for (int i = 0; i < all.size(); i++) {
        all.get(i).fill_(Tensors.scalar(i + 1));
      }
      workers.freeUnused(); // not what is in use
      for (int i = 0; i < all.size(); i++) {
        assertThat(Tensors.toDoubles(all.get(i))).containsOnly(i + 1);
      }
      two.close();
      assertThatThrownBy(two::tensor).isInstanceOf(IllegalStateException.class);
      try (WorkerPool.Buffer again = workers.buffer(ElementType.F32, 1200)) {
        assertThat(again.tensor().data_ptr().address())
            .isNotEqualTo(all.get(0).data_ptr().address());
      }
    }
  }

  /** A run beside others has its own number, which nobody else's changes. */
  @Test
  void aThreadsOwnNumberIsItsOwn() throws InterruptedException {
    Engine.setThreads(2);
    try (Engine.Threads threads = Engine.use(3)) {
      AtomicInteger seen = new AtomicInteger();
      Thread other =
          new Thread(
              () -> {
                Engine.setThreads(1);
                seen.set(Engine.threads());
              });
      other.start();
      other.join();
      assertThat(seen).hasValue(1);
      assertThat(Engine.threads()).isEqualTo(3);
      assertThat(WorkerPool.get().size()).isEqualTo(3);
      try (Engine.Threads inner = Engine.use(2)) {
        assertThat(Engine.threads()).isEqualTo(2);
      }
      assertThat(Engine.threads()).isEqualTo(3);
    }
    assertThat(Engine.threads()).isEqualTo(1);
  }

  /** OpenBLAS has one pool for the process: work on several threads waits for that on one. */
  @Test
  void workOnSeveralThreadsWaitsForPasses() throws InterruptedException {
    Engine.setThreads(2);
    CountDownLatch spread = new CountDownLatch(1);
    Thread other =
        new Thread(
            () -> {
              try (Pools.Hold hold = Pools.spread()) {
                assertThat(torch.get_num_threads()).isEqualTo(2);
                spread.countDown();
              }
            });
    try (Pools.Hold single = Pools.single()) {
      assertThat(torch.get_num_threads()).isEqualTo(1);
      assertThatThrownBy(Pools::spread)
          .isInstanceOf(IllegalStateException.class)
          .hasMessageContaining("single threads");
      other.start();
      while (other.getState() != Thread.State.WAITING) {
        Thread.onSpinWait();
      }
      assertThat(spread.getCount()).isEqualTo(1);
      WorkerPool.get().runOnEach(thread -> {}); // does not wait behind who waits for it
      try (Pools.Hold inner = Pools.single()) {
        assertThat(torch.get_num_threads()).isEqualTo(1);
      }
      assertThat(torch.get_num_threads()).isEqualTo(1);
    }
    other.join();
    assertThat(spread.getCount()).isZero();
    try (Pools.Hold hold = Pools.spread()) { // the optimizer's step after a generated text
      WorkerPool.get().runOnEach(thread -> assertThat(torch.get_num_threads()).isEqualTo(1));
      assertThat(torch.get_num_threads()).isEqualTo(2);
    }
  }

  /** What PyTorch gives after {@code manual_seed}, whoever draws from its generator meanwhile. */
  @Test
  void aStreamIsThatOfPyTorchAndNobodyElses() {
    try (TensorScope scope = TensorScope.open();
        RandomNumbers one = new RandomNumbers(3);
        RandomNumbers two = new RandomNumbers(3)) {
      Tensor first = Tensors.empty(ElementType.F32, 4);
      Tensor second = Tensors.empty(ElementType.F32, 4);
      one.uniform(first, 0, 1);
      torch.manual_seed(99); // somebody's default generator
      torch.rand(7);
      two.uniform(second, 0, 1);
      assertThat(Tensors.toDoubles(second)).isEqualTo(Tensors.toDoubles(first));
      torch.manual_seed(3);
      assertThat(Tensors.toDoubles(torch.rand(4))).isEqualTo(Tensors.toDoubles(first));
      one.bernoulli(first, 0.5);
      two.bernoulli(second, 0.5);
      assertThat(Tensors.toDoubles(second)).isEqualTo(Tensors.toDoubles(first));
    }
  }
}
