package org.dpo4j.api;

import java.nio.file.Path;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.NoSuchElementException;
import java.util.Spliterator;
import java.util.Spliterators;
import java.util.function.Supplier;
import java.util.stream.Stream;
import java.util.stream.StreamSupport;
import org.dpo4j.Message;
import org.dpo4j.data.DataInput;
import org.dpo4j.data.Example;
import org.dpo4j.data.ExampleReader;
import org.dpo4j.data.Row;
import org.jspecify.annotations.Nullable;

/** Converts examples of the API to rows, which are checked like those of files, and pairs back. */
final class ExampleRows {

  private ExampleRows() {}

  /**
   * Examples as the data of a run.
   *
   * @param name replaces the path of a file in messages
   */
  static DataInput input(String name, Supplier<Iterator<? extends TrainingExample>> examples) {
    return DataInput.inMemory(name, () -> rows(examples.get()));
  }

  private static Iterator<Map<String, ?>> rows(Iterator<? extends TrainingExample> examples) {
    return new Iterator<>() {
      @Override
      public boolean hasNext() {
        return examples.hasNext();
      }

      @Override
      public Map<String, ?> next() {
        return row(examples.next());
      }
    };
  }

  private static Map<String, @Nullable Object> row(TrainingExample example) {
    if (example instanceof PromptCompletion single) {
      return single.row();
    }
    Map<String, @Nullable Object> row = new LinkedHashMap<>();
    if (example instanceof PreferencePair.Text text) {
      row.put("prompt", text.prompt());
      row.put("chosen", text.chosen());
      row.put("rejected", text.rejected());
    } else if (example instanceof PreferencePair.Conversation chat) {
      row.put("prompt", turns(chat.prompt()));
      row.put("chosen", turns(chat.chosen()));
      row.put("rejected", turns(chat.rejected()));
      row.put("chat_template_kwargs", chat.templateVariables());
    } else if (example instanceof PreferencePair.TokenIds ids) {
      row.put("prompt_ids", ids.prompt());
      row.put("chosen_ids", ids.chosen());
      row.put("rejected_ids", ids.rejected());
    }
    row.put("weight", example.weight());
    if (example instanceof PreferencePair pair && pair.margin().isPresent()) {
      row.put("margin", pair.margin().getAsDouble());
    }
    return row;
  }

  static List<Map<String, @Nullable Object>> turns(List<Message> messages) {
    return messages.stream().map(Message::fields).toList();
  }

  static Stream<PreferencePair> read(Path file) {
    ExampleReader reader = ExampleReader.open(file);
    Spliterator<Row> rows =
        Spliterators.spliteratorUnknownSize(new Rows(reader), Spliterator.ORDERED);
    return StreamSupport.stream(rows, false)
        .flatMap(row -> row.pairsOrThrow().stream())
        .map(ExampleRows::pair)
        .onClose(reader::close);
  }

  /** The rows of a file; closes the file after the last one. */
  private static final class Rows implements Iterator<Row> {
    private final ExampleReader reader;
    private @Nullable Row next;
    private boolean over;

    Rows(ExampleReader reader) {
      this.reader = reader;
    }

    @Override
    public boolean hasNext() {
      if (next == null && !over) {
        next = reader.next().orElse(null);
        if (next == null) {
          over = true;
          reader.close();
        }
      }
      return next != null;
    }

    @Override
    public Row next() {
      if (!hasNext() || next == null) {
        throw new NoSuchElementException();
      }
      Row row = next;
      next = null;
      return row;
    }
  }

  private static PreferencePair pair(Example pair) {
    double weight = pair.numbers().weight().orElse(1);
    if (pair instanceof Example.Text text) {
      return new PreferencePair.Text(text.prompt(), text.chosen(), text.rejected(), weight);
    } else if (pair instanceof Example.Chat chat) {
      return new PreferencePair.Conversation(
          chat.prompt(), chat.chosen(), chat.rejected(), chat.templateVariables(), weight);
    }
    Example.Ids ids = (Example.Ids) pair;
    return new PreferencePair.TokenIds(ids.prompt(), ids.chosen(), ids.rejected(), weight);
  }
}
