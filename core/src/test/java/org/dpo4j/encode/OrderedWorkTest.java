package org.dpo4j.encode;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.locks.LockSupport;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Closes: results that overtake each other, and threads that outlive the work. */
@Timeout(60)
class OrderedWorkTest {

  @ParameterizedTest
  @ValueSource(ints = {1, 2, 5})
  void resultsComeInTheOrderOfTheirTasks(int threads) {
    List<Integer> results = new ArrayList<>();
    Set<String> names = ConcurrentHashMap.newKeySet();
    Set<Boolean> helpersKeepTheProcess = ConcurrentHashMap.newKeySet();
    Thread caller = Thread.currentThread();
    try (OrderedWork<Integer> work = new OrderedWork<>(threads, results::add)) {
      for (int i = 0; i < 200; i++) {
        int task = i;
        work.add(
            () -> {
              names.add(Thread.currentThread().getName());
              if (Thread.currentThread() != caller) {
                helpersKeepTheProcess.add(!Thread.currentThread().isDaemon());
              }
              LockSupport.parkNanos(task % 3 == 0 ? 200_000 : 0);
              return task;
            });
      }
      work.finish();
    }
    assertThat(results).isEqualTo(IntStream.range(0, 200).boxed().toList());
    if (threads == 1) {
      assertThat(names).containsExactly(Thread.currentThread().getName());
    } else {
      assertThat(names).contains("encode");
      assertThat(helpersKeepTheProcess).containsExactly(false);
    }
  }

  /** Of one thread one task waits, of two threads eight. */
  @ParameterizedTest
  @ValueSource(ints = {1, 2})
  void onlySoManyTasksWait(int threads) {
    int most = threads == 1 ? 1 : 8;
    List<Integer> results = new ArrayList<>();
    try (OrderedWork<Integer> work = new OrderedWork<>(threads, results::add)) {
      for (int i = 0; i < 20; i++) {
        int task = i;
        work.add(() -> task);
        assertThat(results).hasSize(Math.max(0, i + 1 - most));
      }
    }
    assertThat(results).as("those that waited are dropped").hasSize(20 - most);
  }

  /** The calling thread runs the tasks that no helper has begun, so that it never waits idly. */
  @Test
  void theCallingThreadWorksWhileTheHelpersAreBusy() {
    CountDownLatch done = new CountDownLatch(1);
    List<String> results = new ArrayList<>();
    try (OrderedWork<String> work = new OrderedWork<>(2, results::add)) {
      CountDownLatch begun = new CountDownLatch(1);
      work.add(
          () -> {
            begun.countDown();
            await(done);
            return "by the helper";
          });
      await(begun);
      work.add(
          () -> {
            done.countDown(); // only the calling thread is free to come here
            return Thread.currentThread().getName();
          });
      work.finish();
    }
    assertThat(results).containsExactly("by the helper", Thread.currentThread().getName());
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 3})
  void whatATaskThrowsComesOutInItsPlace(int threads) {
    List<Integer> results = new ArrayList<>();
    AssertionError failure = new AssertionError("as told");
    try (OrderedWork<Integer> work = new OrderedWork<>(threads, results::add)) {
      assertThatThrownBy(
              () -> {
                for (int i = 0; i < 100; i++) {
                  int task = i;
                  work.add(
                      () -> {
                        if (task == 50) {
                          throw failure;
                        }
                        return task;
                      });
                }
                work.finish();
              })
          .isSameAs(failure);
    }
    assertThat(results).isEqualTo(IntStream.range(0, 50).boxed().toList());
  }

  /** An interrupt is a wish to stop, which the loop over the steps answers. */
  @Test
  void anInterruptedThreadFinishesItsWorkAndStaysInterrupted() {
    List<Integer> results = new ArrayList<>();
    try (OrderedWork<Integer> work = new OrderedWork<>(2, results::add)) {
      Thread caller = Thread.currentThread();
      caller.interrupt();
      CountDownLatch begun = new CountDownLatch(1);
      work.add(
          () -> {
            begun.countDown();
            while (caller.isInterrupted()) { // until it waits, which ends in an exception
              LockSupport.parkNanos(100_000);
            }
            return 1;
          });
      while (begun.getCount() > 0) { // else this thread would run it
        Thread.onSpinWait();
      }
      work.add(() -> 2);
      work.finish();
      assertThat(Thread.currentThread().isInterrupted()).isTrue();
    } finally {
      assertThat(Thread.interrupted()).as("still, after the close").isTrue();
    }
    assertThat(results).containsExactly(1, 2);
  }

  @Test
  void anInterruptedThreadWaitsForItsHelpersAndStaysInterrupted() {
    Thread caller = Thread.currentThread();
    CountDownLatch begun = new CountDownLatch(1);
    AtomicBoolean ended = new AtomicBoolean();
    OrderedWork<Integer> work = new OrderedWork<>(2, result -> {});
    work.add(
        () -> {
          begun.countDown();
          while (caller.isInterrupted()) { // until it waits, which ends in an exception
            LockSupport.parkNanos(100_000);
          }
          ended.set(true);
          return 1;
        });
    caller.interrupt();
    while (begun.getCount() > 0) {
      Thread.onSpinWait();
    }
    work.close();
    assertThat(Thread.interrupted()).isTrue();
    assertThat(ended).isTrue();
  }

  @Test
  void theEndWaitsForTasksThatRunAndDropsTheOthers() throws InterruptedException {
    CountDownLatch begun = new CountDownLatch(1);
    List<String> events = new ArrayList<>();
    OrderedWork<Integer> work = new OrderedWork<>(2, result -> events.add("result"));
    work.add(
        () -> {
          begun.countDown();
          LockSupport.parkNanos(20_000_000);
          events.add("ran");
          return 1;
        });
    work.add(
        () -> {
          events.add("ran though dropped");
          return 2;
        });
    await(begun);
    work.close();
    assertThat(events).containsExactly("ran");
  }

  private static void await(CountDownLatch latch) {
    try {
      latch.await();
    } catch (InterruptedException e) {
      throw new AssertionError(e);
    }
  }
}
