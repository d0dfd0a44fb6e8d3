package org.dpo4j.torch;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowable;

import org.dpo4j.DpoException;
import org.dpo4j.OptionText;
import org.junit.jupiter.api.Test;

/** Closes: a failed allocation that is shown as a stack trace or as a bug of the program. */
class MemoryFailureTest {

  /** Elements of 4 PB, more than a process can address. */
  private static final long TOO_MANY = 1L << 50;

  private static String message(Throwable failure) {
    return OptionText.plain(MemoryFailure.ofTraining(failure, true).orElseThrow().text());
  }

  @Test
  void anAllocationThatLibtorchRefusesNamesTheSettingsOnEveryThread() {
    Throwable here = catchThrowable(() -> Tensors.empty(ElementType.F32, TOO_MANY).close());
    try (Engine.Threads used = Engine.use(2)) {
      Throwable onWorker =
          catchThrowable(
              () ->
                  WorkerPool.get()
                      .runOnEach(
                          thread -> {
                            if (thread == 1) {
                              Tensors.empty(ElementType.F32, TOO_MANY).close();
                            }
                          }));
      assertThat(message(onWorker)).isEqualTo(message(here));
    }
    assertThat(message(here))
        .contains("can't allocate memory: you tried to allocate " + 4 * TOO_MANY + " bytes")
        .contains("lower per_device_train_batch_size", "max_length", "gradient_checkpointing")
        .doesNotContain("frame #", "Exception raised from");
  }

  @Test
  void smallerBatchesAreAdvisedWithWhatTheyDoToTheNumbers() {
    RuntimeException failure = new RuntimeException("DefaultCPUAllocator: can't allocate memory");
    assertThat(message(failure)).contains("by the same factor (the numbers stay)");
    assertThat(MemoryFailure.ofTraining(failure, false).orElseThrow().text())
        .contains("by the same factor (this changes the numbers, since the loss depends on");
    assertThat(MemoryFailure.of(failure).orElseThrow().text())
        .endsWith("lower the lengths and the batch size of the command, or take a smaller model");
  }

  @Test
  void whatFailsForAnotherReasonIsNoLackOfMemory() {
    assertThat(MemoryFailure.of(new RuntimeException("shape mismatch"))).isEmpty();
    assertThat(MemoryFailure.of(new DpoException("a row about not enough memory"))).isEmpty();
    assertThat(MemoryFailure.of(new UnsatisfiedLinkError("jnitorch was not found"))).isEmpty();
  }

  @Test
  void librariesThatDoNotFitAreALackOfMemory() {
    Throwable failure =
        new UnsatisfiedLinkError("jnitorch was not found")
            .initCause(
                new UnsatisfiedLinkError(
                    "libtorch_cpu.so: failed to map segment from shared object"));
    assertThat(message(failure)).startsWith("out of memory while the native libraries were loaded");
  }
}
