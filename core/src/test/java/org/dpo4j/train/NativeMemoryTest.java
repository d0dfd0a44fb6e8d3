package org.dpo4j.train;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.List;
import org.dpo4j.StepReport;
import org.dpo4j.TrainingControl;
import org.dpo4j.TrainingListener;
import org.dpo4j.batch.EpochPlan;
import org.dpo4j.model.CausalLm;
import org.dpo4j.model.SmallModel;
import org.dpo4j.torch.ElementType;
import org.dpo4j.torch.TensorScope;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * Closes: a step that leaves native memory behind, which a long run would die of. {@code
 * -Ddpo4j.memory.steps=1000} makes the runs longer.
 */
class NativeMemoryTest {

  private static final int STEPS = Integer.getInteger("dpo4j.memory.steps", 300);
  private static final int STRIDE = STEPS / 10;
  private static final long ALLOWED_GROWTH = 30L << 20;

  @ParameterizedTest
  // A leak is one of the machinery or of a layer; the families share all but switches.
  @EnumSource(names = {"TINY_GPT", "LLAMA", "GPT2"})
  void handlesAndResidentMemoryStayFlat(SmallModel kind) {
    List<Long> handles = new ArrayList<>();
    List<Long> resident = new ArrayList<>();
    SmallRun run = new SmallRun(SmallPairs.random(40, 7));
    run.plan = new EpochPlan(40, 2, 2, EpochPlan.Order.SHUFFLED, 1);
    run.steps = STEPS;
    try (CausalLm reference = kind.create(ElementType.F32, 3);
        CausalLm policy = reference.copy()) {
      System.gc(); // what earlier tests left to the collector must not be counted down meanwhile
      run.train(
          policy,
          reference,
          new TrainingListener() {
            @Override
            public void onStep(StepReport report, TrainingControl control) {
              if (report.step() % STRIDE == 0) {
                handles.add(TensorScope.liveHandles()); // before a collection could hide any
                System.gc(); // the Java heap reuses its pages, so that growth would be native
                resident.add(TensorScope.residentBytes());
              }
            }
          });
    }
    assertThat(handles).hasSize(STEPS / STRIDE);
    // The first collection may still find handles of earlier tests; none may be added.
    assertThat(handles).allSatisfy(count -> assertThat(count).isLessThanOrEqualTo(handles.get(0)));
    assertThat(handles.subList(2, handles.size())).containsOnly(handles.get(2));
    long growth = resident.get(resident.size() - 1) - resident.get(1);
    assertThat(growth)
        .as("bytes from the second sample to step %d: %s", STEPS, resident)
        .isLessThan(ALLOWED_GROWTH);
  }
}
