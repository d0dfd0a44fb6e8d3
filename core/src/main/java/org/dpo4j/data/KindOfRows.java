package org.dpo4j.data;

import java.io.IOException;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Stream;
import org.dpo4j.DpoException;
import org.dpo4j.ExampleKind;

/** Recognizes the kind of the examples in files by the columns of the first row. */
final class KindOfRows {

  private KindOfRows() {}

  /** The kind; pairs where the columns do not tell, whose reader then says what is wrong. */
  static ExampleKind of(DataInput input) {
    DataFile file = input.entries().get(0).files().get(0);
    try (RowSource source = file.open()) {
      Optional<? extends RowSource.RawRow> raw = source.next();
      return raw.isEmpty()
          ? ExampleKind.PAIRS
          : of(
              input
                  .columns()
                  .apply(
                      raw.get()
                          .columns(new RowOrigin(file.path().toString(), raw.get().line(), 1))));
    } catch (IOException | DpoException e) {
      return ExampleKind.PAIRS;
    }
  }

  private static ExampleKind of(Map<?, ?> row) {
    if (OtherNames.of(row).isPresent()
        || Stream.of("chosen", "rejected", "chosen_ids", "rejected_ids", "rejected_response")
            .anyMatch(row::containsKey)) {
      return ExampleKind.PAIRS;
    }
    boolean completion = row.containsKey("completion") || row.containsKey("completion_ids");
    boolean whole =
        row.get("messages") instanceof List<?>
            || row.get("conversations") instanceof List<?>
            || (row.containsKey("instruction") && row.containsKey("output"))
            || row.get("text") instanceof String;
    if (!completion && !whole) {
      return ExampleKind.PAIRS;
    }
    return row.containsKey(CompletionColumns.LABEL)
        ? ExampleKind.LABELED
        : ExampleKind.DEMONSTRATIONS;
  }
}
