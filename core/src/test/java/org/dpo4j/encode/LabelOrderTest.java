package org.dpo4j.encode;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import java.util.stream.IntStream;
import org.dpo4j.data.CompletionRole;
import org.dpo4j.data.RowOrigin;
import org.junit.jupiter.api.Test;

/** Closes: pairs that are taken apart in another order than TRL's. */
class LabelOrderTest {

  private static EncodedExample example(int row, CompletionRole role) {
    return new EncodedExample(
        new RowOrigin("f", row, row),
        new int[] {1},
        List.of(new EncodedCompletion(role, new int[] {2})),
        1);
  }

  @Test
  void eachThousandRowsHaveTheirDesirableCompletionsFirst() {
    LabelOrder order = new LabelOrder();
    for (int row = 1; row <= 1002; row++) {
      order.add(example(row, CompletionRole.CHOSEN));
      order.add(example(row, CompletionRole.REJECTED));
    }
    order.end();

    assertThat(order.changed()).isTrue();
    assertThat(order.indices())
        .containsExactly(
            IntStream.of(0, 1, 1000, 1001)
                .flatMap(
                    block ->
                        block < 1000
                            ? IntStream.range(0, 1000).map(i -> 2 * i + block)
                            : IntStream.of(1000, 1001).map(i -> 2 * i + block - 1000))
                .toArray());
  }

  @Test
  void rowsOfOneCompletionKeepTheirOrder() {
    LabelOrder order = new LabelOrder();
    for (int row = 1; row <= 5; row++) {
      order.add(example(row, row % 2 == 0 ? CompletionRole.CHOSEN : CompletionRole.REJECTED));
    }
    order.end();

    assertThat(order.changed()).isFalse();
    assertThat(order.indices()).containsExactly(0, 1, 2, 3, 4);
  }
}
