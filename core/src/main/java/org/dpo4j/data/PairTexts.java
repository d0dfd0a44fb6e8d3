package org.dpo4j.data;

import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;
import org.dpo4j.Message;

/**
 * A pair as text, for people.
 *
 * @param prompt the last turn of a conversation
 * @param chosen the text of all its turns
 * @param rejected the text of all its turns
 */
public record PairTexts(String prompt, String chosen, String rejected) {

  /**
   * Reads the texts of some pairs.
   *
   * @param pairs their file and row, without a line
   * @return by pair; those that are no longer there are missing
   */
  public static Map<RowOrigin, PairTexts> read(DataInput input, Set<RowOrigin> pairs) {
    Set<String> files = pairs.stream().map(RowOrigin::file).collect(Collectors.toSet());
    Map<RowOrigin, PairTexts> texts = new HashMap<>();
    for (DataEntry entry : input.entries()) {
      for (DataFile file : entry.files()) {
        if (files.contains(file.path().toString())) {
          try (ExampleReader reader =
              ExampleReader.open(
                  file, input.columns(), input.format(), input.kind(), input.margins())) {
            reader.forEach(
                row ->
                    row.pairs()
                        .forEach(
                            example -> {
                              RowOrigin key = example.origin().withoutLine();
                              if (pairs.contains(key)) {
                                texts.put(key, of(example));
                              }
                            }));
          }
        }
      }
    }
    return texts;
  }

  /** The texts of a pair. */
  static PairTexts of(Example example) {
    if (example instanceof Example.Text text) {
      return new PairTexts(text.prompt(), text.chosen(), text.rejected());
    }
    if (example instanceof Example.Chat chat) {
      return new PairTexts(
          chat.prompt().isEmpty() ? "" : chat.prompt().get(chat.prompt().size() - 1).text(),
          texts(chat.chosen()),
          texts(chat.rejected()));
    }
    Example.Ids ids = (Example.Ids) example;
    return new PairTexts(
        ids.prompt().toString(), ids.chosen().toString(), ids.rejected().toString());
  }

  private static String texts(List<Message> turns) {
    return turns.stream().map(Message::text).collect(Collectors.joining("\n"));
  }
}
