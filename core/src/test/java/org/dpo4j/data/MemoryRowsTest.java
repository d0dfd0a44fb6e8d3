package org.dpo4j.data;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.dpo4j.Message;
import org.junit.jupiter.api.Test;

/** Closes: rows of a program that are read by other rules than those of a file. */
class MemoryRowsTest {

  private static List<Row> read(List<Map<String, ?>> rows) {
    DataInput input = DataInput.inMemory("memory", rows);
    List<Row> read = new ArrayList<>();
    try (ExampleReader reader =
        ExampleReader.open(
            input.entries().get(0).files().get(0), input.columns(), input.format())) {
      reader.forEach(read::add);
    }
    return read;
  }

  @Test
  void aRowInMemoryIsAPairLikeOneOfAFile() {
    Row row =
        read(List.of(Map.of("prompt", "p", "chosen", "a", "rejected", "b", "weight", 2.0))).get(0);

    Example.Text pair = (Example.Text) row.pairsOrThrow().get(0);
    assertThat(List.of(pair.prompt(), pair.chosen(), pair.rejected()))
        .containsExactly("p", "a", "b");
    assertThat(pair.numbers().weight()).hasValue(2);
    assertThat(row.origin()).hasToString("[memory row 1]");
  }

  @Test
  void messagesInMemoryAreAConversation() {
    Row row =
        read(List.of(
                Map.of(
                    "prompt", List.of(Message.user("q").fields()),
                    "chosen", List.of(Message.assistant("a").fields()),
                    "rejected", List.of(Message.assistant("b").fields()))))
            .get(0);

    Example.Chat pair = (Example.Chat) row.pairsOrThrow().get(0);
    assertThat(pair.prompt()).containsExactly(Message.user("q"));
    assertThat(pair.rejected()).containsExactly(Message.assistant("b"));
  }

  @Test
  void aBadRowNamesItsNumber() {
    List<Row> rows =
        read(
            List.of(
                Map.of("prompt", "p", "chosen", "a", "rejected", "b"),
                Map.of("prompt", "p", "chosen", "same", "rejected", "same")));

    assertThat(rows.get(1).problem())
        .hasMessageContaining("[memory row 2]")
        .hasMessageContaining("identical chosen and rejected");
  }
}
