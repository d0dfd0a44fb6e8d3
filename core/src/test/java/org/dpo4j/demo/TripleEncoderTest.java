package org.dpo4j.demo;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import org.dpo4j.encode.EncodedExample;
import org.junit.jupiter.api.Test;

/** Closes a demo that trains on other ids than its reference run. */
class TripleEncoderTest {

  @Test
  void aTripleIsAnInstructionAndTwoBareCompletionsWithoutEos() {
    List<EncodedExample> pairs = TripleEncoder.encode(DemoTriples.all());
    assertThat(pairs).hasSize(12);
    EncodedExample sum = pairs.get(3);
    assertThat(sum.promptIds())
        .containsExactly(
            256, 'C', 'o', 'm', 'p', 'u', 't', 'e', ' ', '4', ' ', '+', ' ', '9', '.', 257);
    assertThat(sum.chosenIds()).containsExactly('1', '3', '.');
    assertThat(sum.rejectedIds()).hasSize(61);
    assertThat(sum.origin()).hasToString("[built-in triples row 4]");
  }
}
