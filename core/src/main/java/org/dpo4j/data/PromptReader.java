package org.dpo4j.data;

import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.CharacterCodingException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.dpo4j.DpoException;
import org.dpo4j.Message;
import org.dpo4j.options.BoundedFile;
import org.dpo4j.options.Limit;
import org.jspecify.annotations.Nullable;

/**
 * Reads prompts for generation. A file in a format of pairs has one prompt per row: {@code prompt},
 * a text or a list of messages, or else the list {@code messages} or {@code conversations}; the
 * other columns are kept beside it. Any other file is text with one prompt per line; blank lines
 * are skipped.
 */
public final class PromptReader {

  /**
   * One prompt.
   *
   * @param origin the file and line it is from
   * @param messages at least one turn; plain text is a user turn
   * @param columns the other columns of the row
   */
  public record Prompt(
      RowOrigin origin, List<Message> messages, Map<String, @Nullable Object> columns) {
    public Prompt {
      messages = List.copyOf(messages);
      columns = Collections.unmodifiableMap(columns);
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
          DataFile.named(file).isPresent()
              ? rows(DataFile.of(file))
              : lines(file.toString(), BoundedFile.text(file, Limit.PROMPTS_BYTES));
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

  private static List<Prompt> rows(DataFile file) throws IOException {
    return rows(file.path().toString(), file.open(), file.format().untyped());
  }

  /**
   * All prompts of the standard input, in order: JSON Lines if it begins with a brace, else one
   * prompt per line.
   *
   * @throws DpoException if it cannot be read, holds no prompt, or a row has none
   */
  public static List<Prompt> readStandardInput(InputStream in) {
    try {
      String name = "standard input";
      byte[] bytes = BoundedFile.bytes(in, "[standard input] the text", Limit.PROMPTS_BYTES);
      String text = BoundedFile.text(bytes);
      List<Prompt> prompts =
          text.stripLeading().startsWith("{")
              ? rows(name, new JsonLinesSource(new ByteArrayInputStream(bytes)), false)
              : lines(name, text);
      if (prompts.isEmpty()) {
        throw new DpoException("[standard input] must hold at least one prompt but holds none");
      }
      return prompts;
    } catch (CharacterCodingException e) {
      throw new DpoException("[standard input] must be text in UTF-8 but is not; convert it", e);
    } catch (IOException e) {
      throw new DpoException("[standard input] cannot be read: " + e.getMessage(), e);
    }
  }

  private static List<Prompt> lines(String name, String text) {
    List<Prompt> prompts = new ArrayList<>();
    List<String> lines = text.lines().toList();
    for (int i = 0; i < lines.size(); i++) {
      if (!lines.get(i).isBlank()) {
        RowOrigin origin = new RowOrigin(name, i + 1, i + 1);
        prompts.add(new Prompt(origin, List.of(Message.of("user", lines.get(i))), Map.of()));
      }
    }
    return prompts;
  }

  private static List<Prompt> rows(String name, RowSource rows, boolean untyped)
      throws IOException {
    List<Prompt> prompts = new ArrayList<>();
    try (RowSource source = rows) {
      for (Optional<? extends RowSource.RawRow> raw = source.next();
          raw.isPresent();
          raw = source.next()) {
        RowOrigin origin = new RowOrigin(name, raw.get().line(), prompts.size() + 1);
        prompts.add(prompt(origin, raw.get().columns(origin), untyped));
      }
    }
    return prompts;
  }

  private static Prompt prompt(RowOrigin origin, Map<?, ?> columns, boolean untyped) {
    RowFields row = new RowFields(origin, JsonCells.read(origin, columns, untyped), false);
    for (String column : List.of("prompt", "messages", "conversations")) {
      Object value = row.get(column);
      RowJson.check(origin, value);
      if (value instanceof List<?> turns && !turns.isEmpty()) {
        return new Prompt(origin, MessageReader.all(row, column, turns), others(row, column));
      }
      if (value instanceof String text && column.equals("prompt")) {
        return new Prompt(origin, List.of(Message.of("user", text)), others(row, column));
      }
    }
    throw row.has("prompt")
        ? row.wrongType("prompt", "a text or a list of messages")
        : row.missing("prompt");
  }

  private static Map<String, @Nullable Object> others(RowFields row, String column) {
    Map<String, @Nullable Object> others = new LinkedHashMap<>();
    row.values().forEach((name, value) -> others.put(String.valueOf(name), value));
    others.remove(column);
    return others;
  }
}
