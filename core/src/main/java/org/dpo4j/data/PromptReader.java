package org.dpo4j.data;

import java.io.IOException;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.dpo4j.DpoException;

/**
 * Prompts to be answered. A file that is named like a file of pairs has one in each row: {@code
 * prompt}, a text or a list of messages, or else the list {@code messages} or {@code
 * conversations}; other columns do not matter. Any other file is text with a prompt on each line;
 * blank lines are passed over.
 */
public final class PromptReader {

  /**
   * One prompt.
   *
   * @param origin the file and line it is from
   * @param messages at least one turn; a text is the user's
   */
  public record Prompt(RowOrigin origin, List<Message> messages) {
    public Prompt {
      messages = List.copyOf(messages);
    }
  }

  private PromptReader() {}

  /**
   * All prompts of a file, in order.
   *
   * @throws DpoException if the file cannot be read, holds no prompt, or a row has none
   */
  public static List<Prompt> read(Path file) {
    try {
      List<Prompt> prompts =
          DataFile.named(file).isPresent() ? rows(DataFile.of(file)) : lines(file);
      if (prompts.isEmpty()) {
        throw new DpoException(
            "[" + file + "] must hold at least one prompt but holds none; write one a line");
      }
      return prompts;
    } catch (CharacterCodingException e) {
      throw new DpoException("[" + file + "] must be text in UTF-8 but is not; convert it", e);
    } catch (IOException e) {
      throw new DpoException("[" + file + "] cannot be read: " + e.getMessage(), e);
    }
  }

  private static List<Prompt> lines(Path file) throws IOException {
    List<Prompt> prompts = new ArrayList<>();
    List<String> lines = Files.readAllLines(file, StandardCharsets.UTF_8);
    for (int i = 0; i < lines.size(); i++) {
      if (!lines.get(i).isBlank()) {
        RowOrigin origin = new RowOrigin(file.toString(), i + 1, i + 1);
        prompts.add(new Prompt(origin, List.of(Message.of("user", lines.get(i)))));
      }
    }
    return prompts;
  }

  private static List<Prompt> rows(DataFile file) throws IOException {
    List<Prompt> prompts = new ArrayList<>();
    try (RowSource source = file.open()) {
      for (Optional<? extends RowSource.RawRow> raw = source.next();
          raw.isPresent();
          raw = source.next()) {
        RowOrigin origin =
            new RowOrigin(file.path().toString(), raw.get().line(), prompts.size() + 1);
        Map<?, ?> columns = raw.get().columns(origin);
        prompts.add(new Prompt(origin, messages(origin, columns, file.format().untyped())));
      }
    }
    return prompts;
  }

  private static List<Message> messages(RowOrigin origin, Map<?, ?> columns, boolean untyped) {
    RowFields row = new RowFields(origin, JsonCells.read(origin, columns, untyped), false);
    for (String column : List.of("prompt", "messages", "conversations")) {
      Object value = row.get(column);
      RowJson.check(origin, value);
      if (value instanceof List<?> turns && !turns.isEmpty()) {
        return MessageReader.all(row, column, turns);
      }
      if (value instanceof String text && column.equals("prompt")) {
        return List.of(Message.of("user", text));
      }
    }
    throw row.has("prompt")
        ? row.wrongType("prompt", "a text or a list of messages")
        : row.missing("prompt");
  }
}
