package org.dpo4j.encode;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import java.util.stream.IntStream;
import org.dpo4j.data.CompletionRole;
import org.dpo4j.data.RowNumbers;
import org.dpo4j.data.RowOrigin;
import org.junit.jupiter.api.Test;

/** Closes: pairs that are taken apart in another order than TRL's. */
class LabelOrderTest {

  private static EncodedExample example(int row, CompletionRole role) {
    return new EncodedExample(
        new RowOrigin("f", row, row),
        new int[] {1},
        List.of(new EncodedCompletion(role, new int[] {2})),
        RowNumbers.NONE);
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

  /** A file of its own: blocks and rows begin anew. */
  @Test
  void eachFileHasItsOwnBlocks() {
    LabelOrder order = new LabelOrder();
    for (int file = 0; file < 2; file++) {
      order.add(example(1, CompletionRole.CHOSEN));
      order.add(example(1, CompletionRole.REJECTED));
      order.add(example(2, CompletionRole.CHOSEN));
      order.add(example(2, CompletionRole.REJECTED));
      order.end();
    }

    assertThat(order.indices()).containsExactly(0, 2, 1, 3, 4, 6, 5, 7);
  }

  /** The last row of one file and the first of the next have one number and are no pair. */
  @Test
  void rowsOfTwoFilesAreNoPair() {
    LabelOrder order = new LabelOrder();
    order.add(example(1, CompletionRole.CHOSEN));
    order.end();
    order.add(example(1, CompletionRole.REJECTED));
    order.end();

    assertThat(order.changed()).isFalse();
  }

  /** Rows 2 to 1998 were dropped, say. */
  @Test
  void aBlockMayBeginWithAnyOfItsRows() {
    LabelOrder order = new LabelOrder();
    for (int row : new int[] {1, 1999, 2000}) {
      order.add(example(row, CompletionRole.CHOSEN));
      order.add(example(row, CompletionRole.REJECTED));
    }
    order.end();

    assertThat(order.indices()).containsExactly(0, 1, 2, 4, 3, 5);
  }

  /** A row that gives two completions of one label is no pair either. */
  @Test
  void aPairHasADesirableAndAnUndesirableCompletion() {
    LabelOrder order = new LabelOrder();
    order.add(example(1, CompletionRole.CHOSEN));
    order.add(example(1, CompletionRole.CHOSEN));
    order.end();

    assertThat(order.changed()).isFalse();
    assertThat(order.indices()).containsExactly(0, 1);
  }
}
