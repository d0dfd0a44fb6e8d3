package org.dpo4j.torch;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicIntegerArray;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/**
 * Closes: failures that are lost, work that goes on after its caller, and pools that stay broken.
 */
class WorkerPoolFailureTest {

  @BeforeEach
  void threeThreads() {
    Engine.setThreads(3);
  }

  @AfterEach
  void allThreadsAgain() {
    Engine.setThreads(0);
  }

  @Test
  void anExceptionOfOneWorkerReachesTheCallerAfterAllOthersAreDone() {
    AtomicIntegerArray done = new AtomicIntegerArray(3);
    assertThatThrownBy(
            () ->
                WorkerPool.get()
                    .runOnEach(
                        thread -> {
                          if (thread == 1) {
                            throw new IllegalArgumentException("worker 1");
                          }
                          done.incrementAndGet(thread);
                        }))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage("worker 1");
    assertThat(done.toString()).isEqualTo("[1, 0, 1]");
    assertRunsOnEach(3);
  }

  @Test
  void ofTwoExceptionsThatOfTheLowerThreadIsThrown() {
    for (int repetition = 0; repetition < 50; repetition++) {
      assertThatThrownBy(
              () ->
                  WorkerPool.get()
                      .runOnEach(
                          thread -> {
                            if (thread > 0) {
                              throw new IllegalArgumentException("worker " + thread);
                            }
                          }))
          .hasMessage("worker 1");
    }
    assertRunsOnEach(3);
  }

  @Test
  void anExceptionIsNotThrownAgainByTheNextCall() {
    assertThatThrownBy(
            () ->
                WorkerPool.get()
                    .runOnEach(
                        thread -> {
                          throw new IllegalStateException("all");
                        }))
        .hasMessage("all");
    assertRunsOnEach(3);
  }

  @Test
  void anErrorReachesTheCallerAsItIs() {
    Error error = new AssertionError("broken");
    assertThatThrownBy(
            () ->
                WorkerPool.get()
                    .runOnEach(
                        thread -> {
                          if (thread == 2) {
                            throw error;
                          }
                        }))
        .isSameAs(error);
    assertRunsOnEach(3);
  }

  @Test
  void aJobThatThrowsDoesNotKeepOtherThreadsFromTheirJobs() {
    AtomicInteger done = new AtomicInteger();
    List<Runnable> jobs = new ArrayList<>(Collections.nCopies(20, done::incrementAndGet));
    jobs.add(
        0,
        () -> {
          throw new IllegalArgumentException("job 0");
        });
    assertThatThrownBy(() -> WorkerPool.get().runJobs(jobs)).hasMessage("job 0");
    assertThat(done).hasValue(20);
    assertRunsOnEach(3);
  }

  @Test
  void everyJobRunsOnce() {
    AtomicIntegerArray runs = new AtomicIntegerArray(100);
    List<Runnable> jobs = new ArrayList<>();
    for (int i = 0; i < 100; i++) {
      int job = i;
      jobs.add(() -> runs.incrementAndGet(job));
    }
    WorkerPool.get().runJobs(jobs);
    for (int i = 0; i < 100; i++) {
      assertThat(runs.get(i)).isEqualTo(1);
    }
  }

  @Test
  void aPoolKeepsItsSizeWhenTheNumberOfThreadsChanges() {
    WorkerPool three = WorkerPool.get();
    Engine.setThreads(1);
    assertThat(three.size()).isEqualTo(3);
    assertRunsOnEach(three, 3);
    assertThat(WorkerPool.get().size()).isEqualTo(1);
    assertRunsOnEach(1);
    Engine.setThreads(3);
    assertThat(WorkerPool.get()).isSameAs(three);
  }

  private static void assertRunsOnEach(int size) {
    assertRunsOnEach(WorkerPool.get(), size);
  }

  private static void assertRunsOnEach(WorkerPool workers, int size) {
    AtomicIntegerArray runs = new AtomicIntegerArray(size);
    workers.runOnEach(runs::incrementAndGet);
    for (int thread = 0; thread < size; thread++) {
      assertThat(runs.get(thread)).isEqualTo(1);
    }
  }
}
