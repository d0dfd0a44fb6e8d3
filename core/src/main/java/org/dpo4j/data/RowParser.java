package org.dpo4j.data;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.function.Predicate;
import org.jspecify.annotations.Nullable;

/**
 * A JSON object as a preference pair. Remembers what belongs to the file and not to the row:
 * whether its first row had a prompt of its own, and which columns were ignored.
 */
final class RowParser {
  private static final List<String> SIDES = List.of("chosen", "rejected");
  private static final List<String> IDS = List.of("prompt_ids", "chosen_ids", "rejected_ids");

  private final Set<String> ignoredColumns = new TreeSet<>();
  private @Nullable RowOrigin firstRow;
  private boolean firstHadPrompt;

  Set<String> ignoredColumns() {
    return ignoredColumns;
  }

  PreferencePair parse(RowOrigin origin, Map<?, ?> row) {
    boolean hasIds = IDS.stream().anyMatch(row::containsKey);
    boolean hasSides = SIDES.stream().anyMatch(row::containsKey);
    if (hasIds && hasSides) {
      throw bad(origin, "text and token ids in one row", "keep one kind; found " + fieldsOf(row));
    }
    return hasIds ? ids(origin, row) : textOrChat(origin, row);
  }

  private PreferencePair.Ids ids(RowOrigin origin, Map<?, ?> row) {
    ignore(row, IDS);
    TemplateColumns.refuse(origin, row, "token ids are");
    List<Integer> prompt = ids(origin, row, "prompt_ids");
    List<Integer> chosen = ids(origin, row, "chosen_ids");
    List<Integer> rejected = ids(origin, row, "rejected_ids");
    checkSides(origin, chosen, rejected, List::isEmpty);
    return new PreferencePair.Ids(origin, prompt, chosen, rejected);
  }

  private PreferencePair textOrChat(RowOrigin origin, Map<?, ?> row) {
    ignore(row, List.of("prompt", "chosen", "rejected"));
    boolean hasPrompt = row.containsKey("prompt");
    checkSameAsFirst(origin, hasPrompt, row);
    Object chosen = present(origin, row, "chosen");
    Object rejected = present(origin, row, "rejected");
    Object prompt = hasPrompt ? present(origin, row, "prompt") : chosen;
    if (prompt instanceof String x && chosen instanceof String w && rejected instanceof String l) {
      TemplateColumns.refuse(origin, row, "plain text is");
      checkSides(origin, w, l, String::isEmpty);
      if (hasPrompt) {
        return new PreferencePair.Text(origin, x, w, l);
      }
      int cut = ImplicitPrompt.lengthOf(w, l);
      return new PreferencePair.Text(
          origin, w.substring(0, cut), w.substring(cut), l.substring(cut));
    }
    if (prompt instanceof List<?> x
        && chosen instanceof List<?> w
        && rejected instanceof List<?> l) {
      return chat(
          origin,
          hasPrompt ? messages(origin, "prompt", x) : null,
          w,
          l,
          TemplateColumns.read(origin, row));
    }
    throw bad(
        origin,
        "prompt, chosen and rejected of different kinds",
        (hasPrompt ? "prompt is %s, ".formatted(JsonKind.of(prompt)) : "")
            + "chosen is %s, rejected is %s; make all strings or all lists of messages"
                .formatted(JsonKind.of(chosen), JsonKind.of(rejected))
            + (prompt instanceof String && chosen instanceof List<?> && rejected instanceof List<?>
                ? "; where the messages already hold the prompt, remove the column \"prompt\""
                : ""));
  }

  private static PreferencePair.Chat chat(
      RowOrigin origin,
      @Nullable List<Message> ownPrompt,
      List<?> w,
      List<?> l,
      Map<String, @Nullable Object> variables) {
    List<Message> chosen = messages(origin, "chosen", w);
    List<Message> rejected = messages(origin, "rejected", l);
    checkSides(origin, chosen, rejected, RowParser::saysNothing);
    if (ownPrompt != null) {
      if (ownPrompt.isEmpty()) {
        throw bad(origin, "prompt without messages", "write at least one turn");
      }
      return new PreferencePair.Chat(origin, ownPrompt, chosen, rejected, variables);
    }
    int cut = ImplicitPrompt.lengthOf(chosen, rejected);
    if (cut == 0) {
      throw bad(
          origin,
          "no shared turn that could be the prompt",
          "without a column \"prompt\" both sides must begin with the same turns");
    }
    PreferencePair.Chat pair =
        new PreferencePair.Chat(
            origin,
            chosen.subList(0, cut),
            chosen.subList(cut, chosen.size()),
            rejected.subList(cut, rejected.size()),
            variables);
    checkSides(origin, pair.chosen(), pair.rejected(), RowParser::saysNothing);
    return pair;
  }

  /** One missing prompt in a file that has them would otherwise be guessed from the completions. */
  private void checkSameAsFirst(RowOrigin origin, boolean hasPrompt, Map<?, ?> row) {
    if (firstRow == null) {
      firstRow = origin;
      firstHadPrompt = hasPrompt;
    } else if (hasPrompt != firstHadPrompt) {
      throw firstHadPrompt
          ? missing(origin, row, "prompt")
          : bad(
              origin,
              "field \"prompt\" that the first row does not have",
              "%s has its prompt inside chosen and rejected; write all rows of a file alike"
                  .formatted(firstRow));
    }
  }

  private static <T> void checkSides(RowOrigin origin, T chosen, T rejected, Predicate<T> isEmpty) {
    if (isEmpty.test(chosen)) {
      throw bad(origin, "empty chosen", "write a completion or remove the row");
    }
    if (isEmpty.test(rejected)) {
      throw bad(origin, "empty rejected", "write a completion or remove the row");
    }
    if (chosen.equals(rejected)) {
      throw bad(
          origin, "identical chosen and rejected", "nothing can be preferred; remove the row");
    }
  }

  private static boolean saysNothing(List<Message> turns) {
    return turns.stream().allMatch(turn -> turn.fields().size() == 2 && "".equals(turn.content()));
  }

  private static List<Message> messages(RowOrigin origin, String field, List<?> turns) {
    List<Message> messages = new ArrayList<>(turns.size());
    for (Object turn : turns) {
      String where = "turn %d of \"%s\"".formatted(messages.size() + 1, field);
      if (!(turn instanceof Map<?, ?> fields)) {
        throw bad(
            origin,
            "message that is not an object in \"" + field + "\"",
            "%s is %s; write {\"role\": ..., \"content\": ...}"
                .formatted(where, JsonKind.of(turn)));
      }
      if (!(fields.get("role") instanceof String)) {
        throw bad(
            origin,
            "message without role in \"" + field + "\"",
            where + " must have a string \"role\"; found " + fieldsOf(fields));
      }
      Object content = fields.get("content");
      if (!(content instanceof String)
          && !(content == null && fields.get("tool_calls") != null)
          && !(content instanceof List<?> parts && parts.stream().allMatch(RowParser::isText))) {
        throw bad(
            origin,
            "message without text content in \"" + field + "\"",
            "%s must have \"content\" that is a string or a list of text parts; found %s"
                .formatted(where, fieldsOf(fields)));
      }
      Map<String, @Nullable Object> copy = new LinkedHashMap<>();
      fields.forEach((key, value) -> copy.put((String) key, value));
      messages.add(new Message(copy));
    }
    return messages;
  }

  private static boolean isText(@Nullable Object part) {
    return part instanceof Map<?, ?> fields
        && "text".equals(fields.get("type"))
        && fields.get("text") instanceof String;
  }

  private static List<Integer> ids(RowOrigin origin, Map<?, ?> row, String field) {
    if (!(present(origin, row, field) instanceof List<?> list)) {
      throw bad(
          origin,
          "wrong type of field \"" + field + "\"",
          "must be a list of token ids but is " + JsonKind.of(row.get(field)));
    }
    List<Integer> ids = new ArrayList<>(list.size());
    for (Object item : list) {
      if (!(item instanceof Integer id) || id < 0) {
        throw bad(
            origin,
            "invalid token id in \"" + field + "\"",
            "ids are whole numbers from 0; id %d is %s"
                .formatted(ids.size() + 1, item instanceof Number n ? n : JsonKind.of(item)));
      }
      ids.add(id);
    }
    return ids;
  }

  private static Object present(RowOrigin origin, Map<?, ?> row, String field) {
    Object value = row.get(field);
    if (value == null) {
      throw row.containsKey(field)
          ? bad(origin, "null in field \"" + field + "\"", "found " + fieldsOf(row))
          : missing(origin, row, field);
    }
    return value;
  }

  private static BadRowException missing(RowOrigin origin, Map<?, ?> row, String field) {
    return bad(origin, "missing field \"" + field + "\"", "found " + fieldsOf(row));
  }

  private static BadRowException bad(RowOrigin origin, String reason, String detail) {
    return new BadRowException(origin, reason, detail);
  }

  private void ignore(Map<?, ?> row, List<String> known) {
    Set<String> extra = new LinkedHashSet<>();
    row.keySet().forEach(key -> extra.add((String) key));
    known.forEach(extra::remove);
    TemplateColumns.NAMES.forEach(extra::remove);
    ignoredColumns.addAll(extra);
  }

  /** The fields with their types, as in {@code "prompt" (a string), "score" (a number)}. */
  private static String fieldsOf(Map<?, ?> fields) {
    if (fields.isEmpty()) {
      return "no fields";
    }
    List<String> shown = new ArrayList<>();
    fields.forEach((key, value) -> shown.add("\"%s\" (%s)".formatted(key, JsonKind.of(value))));
    int most = 12;
    return String.join(", ", shown.subList(0, Math.min(most, shown.size())))
        + (shown.size() > most ? " and %d more".formatted(shown.size() - most) : "");
  }
}
