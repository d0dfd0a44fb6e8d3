package org.dpo4j.torch;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.List;
import org.bytedeco.pytorch.Tensor;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Closes: a tensor that a scope frees too early, or never. */
class TensorScopeTest {

  @BeforeEach
  void start() {
    Engine.start();
  }

  private static boolean freed(Tensor tensor) {
    return tensor.isNull();
  }

  @Test
  void aScopeFreesWhatWasMadeWhileItWasTheInnermost() {
    Tensor outer;
    Tensor inner;
    try (TensorScope scope = TensorScope.open()) {
      outer = Tensors.floats(1);
      try (TensorScope nested = TensorScope.open()) {
        inner = Tensors.floats(2);
      }
      assertThat(freed(inner)).isTrue();
      assertThat(freed(outer)).isFalse();
    }
    assertThat(freed(outer)).isTrue();
  }

  @Test
  void aKeptTensorLivesUntilItsOwnerFreesIt() {
    Tensor kept;
    try (TensorScope scope = TensorScope.open()) {
      kept = scope.disown(Tensors.floats(3));
    }
    assertThat(Tensors.toDoubles(kept)).containsExactly(3);
    Tensors.free(kept);
    assertThat(freed(kept)).isTrue();
  }

  @Test
  void onlyTheResultOfABodyReachesTheEnclosingScope() {
    List<Tensor> temporary = new ArrayList<>();
    Tensor result;
    try (TensorScope scope = TensorScope.open()) {
      result =
          TensorScope.compute(
              () -> {
                temporary.add(Tensors.floats(4));
                return temporary.get(0).mul(Tensors.scalar(2));
              });
      assertThat(freed(temporary.get(0))).isTrue();
      assertThat(Tensors.toDoubles(result)).containsExactly(8);
    }
    assertThat(freed(result)).isTrue();
  }

  /** The result of an operation in place is a handle that points into its first argument. */
  @Test
  void aSecondHandleOutlivesTheFirst() {
    Tensor held;
    try (TensorScope scope = TensorScope.open()) {
      Tensor changed = Tensors.floats(5).add_(Tensors.scalar(1));
      held = TensorScope.ownedHandle(changed);
    }
    assertThat(Tensors.toDoubles(held)).containsExactly(6);
    Tensors.free(held);
  }

  @Test
  void aScopeThatWasLeftCollectsNothingMoreAndIsClosedByAnyThread() throws InterruptedException {
    try (TensorScope outer = TensorScope.open()) {
      TensorScope left = TensorScope.open();
      Tensor before = Tensors.floats(7);
      left.stopCollecting();
      Tensor after = Tensors.floats(8);
      Thread other = new Thread(left::close);
      other.start();
      other.join();
      assertThat(freed(before)).isTrue();
      assertThat(Tensors.toDoubles(after)).containsExactly(8);
    }
  }
}
