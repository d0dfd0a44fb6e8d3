package org.dpo4j.survey;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

/**
 * Closes percentiles that are off by one, which would advise a limit that cuts more than it says.
 */
class LengthCountsTest {

  @Test
  void aPercentileIsTheSmallestLengthThatTheShareDoesNotExceed() {
    LengthCounts lengths = new LengthCounts();
    IntStream.rangeClosed(1, 200).forEach(lengths::add);
    assertThat(lengths.percentile(0.05)).isEqualTo(10);
    assertThat(lengths.percentile(0.5)).isEqualTo(100);
    assertThat(lengths.percentile(0.99)).isEqualTo(198);
    assertThat(lengths.percentile(1)).isEqualTo(200);
    assertThat(lengths.above(198)).isEqualTo(2);
    assertThat(lengths.above(-1)).isEqualTo(200);
    assertThat(lengths.above(5000)).isZero();
    assertThat(lengths.mean()).isEqualTo(100.5);
    assertThat(lengths.longest()).isEqualTo(200);
    assertThat(lengths.size()).isEqualTo(200);
  }

  @Test
  void lengthsBeyondTheCountedOnesAreNotLost() {
    LengthCounts lengths = new LengthCounts();
    lengths.add(0);
    lengths.add(5_000);
    lengths.add(3_000_000);
    assertThat(lengths.percentile(0.5)).isEqualTo(5_000);
    assertThat(lengths.percentile(0.99)).isEqualTo(3_000_000);
    assertThat(lengths.above(5_000)).isEqualTo(1);
  }
}
