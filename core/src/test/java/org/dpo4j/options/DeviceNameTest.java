package org.dpo4j.options;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.OptionalInt;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Closes a misspelled device that is taken for the processor. */
class DeviceNameTest {

  @Test
  void namesAreThoseOfPyTorch() {
    assertThat(new DeviceName("cuda").gpu()).isEqualTo(OptionalInt.of(0));
    assertThat(new DeviceName("CUDA:3").gpu()).isEqualTo(OptionalInt.of(3));
    assertThat(new DeviceName("cpu").gpu()).isEmpty();
    assertThat(new DeviceName("auto").gpu()).isEmpty();
    assertThat(new DeviceName("auto").isAuto()).isTrue();
    assertThat(new DeviceName("cpu").isAuto()).isFalse();
  }

  @ParameterizedTest
  @ValueSource(strings = {"", "gpu", "cuda:", "cuda:-1", "cuda:x", "cuda:1000", "mps", "cpu:0"})
  void anythingElseIsRefused(String text) {
    assertThatThrownBy(() -> new DeviceName(text)).isInstanceOf(IllegalArgumentException.class);
  }
}
