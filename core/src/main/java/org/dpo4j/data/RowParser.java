package org.dpo4j.data;

import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.function.Predicate;
import java.util.stream.Stream;
import org.dpo4j.ExampleKind;
import org.dpo4j.Message;
import org.dpo4j.OptionText;
import org.jspecify.annotations.Nullable;

/**
 * Turns a row into examples: one, or one per rejected completion of a list. Keeps the state of the
 * file: the shape of its first row, and which columns were ignored.
 */
final class RowParser {
  private static final String WEIGHT = "weight";

  /** Keeps sums of weighted losses within the range and precision of a double. */
  private static final double LARGEST_WEIGHT = 1e100;

  /** Columns that some shapes put into the prompt. */
  private static final List<String> PARTS_OF_PROMPT =
      List.of("system", "system_prompt", "system_message", "history");

  private final RowFormat format;
  private final ExampleKind kind;
  private final boolean untyped;
  private final boolean margins;
  private final Set<String> ignoredColumns = new TreeSet<>();
  private final Map<String, RowOrigin> lostColumns = new TreeMap<>();
  private @Nullable First first;

  /** The shape of the file, set by the first row that has one. */
  private record First(
      RowOrigin origin,
      RowShape shape,
      boolean hasWeight,
      boolean transcript,
      Optional<OtherNames.Split> sides,
      @Nullable MarginColumns margins) {}

  /**
   * @param kind of the examples
   * @param untyped whether the rows come from a format without types, in which every value is text
   * @param margins whether the loss reads the margins of pairs
   */
  RowParser(RowFormat format, ExampleKind kind, boolean untyped, boolean margins) {
    this.format = format;
    this.kind = kind;
    this.untyped = untyped;
    this.margins = margins;
  }

  /**
   * Ignored columns with the first row in which that is rarely intended: those that other shapes
   * put into the prompt, where they have content, and labels of undesirable completions.
   */
  Map<String, RowOrigin> lostColumns() {
    return Collections.unmodifiableMap(lostColumns);
  }

  Optional<RowForm> form() {
    return Optional.ofNullable(first)
        .map(row -> row.transcript ? RowForm.TRANSCRIPTS : row.shape.form());
  }

  Set<String> ignoredColumns() {
    return ignoredColumns;
  }

  /** A description of the rows; "" before the first usable row. */
  String description() {
    if (first == null) {
      return "";
    }
    return first.shape.description
        + first
            .sides
            .map(
                names ->
                    ", the sides \"%s\" and \"%s\"".formatted(names.chosen(), names.rejected()))
            .orElse("")
        + (first.transcript
            ? OptionText.of(
                " (Human/Assistant transcripts; {data_format} hh makes conversations of them)")
            : "")
        + kindOfRows()
        + (first.hasWeight ? ", weighted" : "")
        + (first.margins == null ? "" : ", the offset from " + first.margins.quoted());
  }

  /** What the loss makes of the rows, unless they are pairs for a loss on pairs. */
  private String kindOfRows() {
    if (kind == ExampleKind.PAIRS) {
      return "";
    }
    boolean pairs = Objects.requireNonNull(first).shape.pairs();
    if (kind == ExampleKind.LABELED) {
      return pairs ? ", each pair taken apart into two labelled completions" : ", labelled";
    }
    return pairs ? ", the chosen completions of pairs" : "";
  }

  List<Example> parse(RowOrigin origin, Map<?, ?> columns) {
    Optional<OtherNames.Split> sides = OtherNames.of(columns);
    Map<?, ?> values = OtherNames.replaced(columns, sides);
    if (format != RowFormat.TEXT) {
      values = JsonCells.read(origin, values, untyped);
    }
    RowFields row = new RowFields(origin, values, first == null);
    RowShape shape = RowShape.of(row, format, kind);
    checkFormat(row, shape);
    checkUsed(row, shape);
    ignore(row, shape);
    checkSameAsFirst(row, shape, sides);
    RowNumbers numbers = new RowNumbers(weight(row), margin(row));
    RowContent content = shape.read(row);
    if (content instanceof RowContent.TextCompletion
        || content instanceof RowContent.ChatCompletion
        || content instanceof RowContent.IdsCompletion) {
      return List.of(single(row, content, numbers));
    }
    List<Example> pairs = pairs(row, content, numbers);
    if (pairs.size() > 1 && numbers.margin().isPresent()) {
      throw row.bad(
          "one margin for several rejected completions",
          "write a row with its own margin or scores for each of the %d".formatted(pairs.size()));
    }
    return kind == ExampleKind.PAIRS ? pairs : pairs.stream().flatMap(this::takenApart).toList();
  }

  /** An example of one completion. */
  private Example single(RowFields row, RowContent content, RowNumbers numbers) {
    RowOrigin origin = row.origin();
    CompletionRole role =
        kind == ExampleKind.DEMONSTRATIONS || CompletionColumns.label(row)
            ? CompletionRole.CHOSEN
            : CompletionRole.REJECTED;
    if (content instanceof RowContent.TextCompletion text) {
      TemplateColumns.refuse(origin, row.values(), "plain text is");
      requireCompletion(origin, text.completion().isEmpty());
      return new Example.Text(
          origin, text.prompt(), List.of(new Completion<>(role, text.completion())), numbers);
    } else if (content instanceof RowContent.ChatCompletion chat) {
      requireCompletion(origin, saysNothing(chat.completion()));
      if (!chat.prompt().isEmpty()) {
        checkAnswer(origin, "completion", chat.completion().get(0).role());
      }
      return new Example.Chat(
          origin,
          chat.prompt(),
          List.of(new Completion<>(role, chat.completion())),
          TemplateColumns.read(origin, row.values()),
          numbers);
    }
    TemplateColumns.refuse(origin, row.values(), "token ids are");
    RowContent.IdsCompletion ids = (RowContent.IdsCompletion) content;
    requireCompletion(origin, ids.completion().isEmpty());
    return new Example.Ids(
        origin, ids.prompt(), List.of(new Completion<>(role, ids.completion())), numbers);
  }

  private static void requireCompletion(RowOrigin origin, boolean empty) {
    if (empty) {
      throw new BadRowException(origin, "empty completion", "write one or remove the row");
    }
  }

  /** The examples of single completions in a pair: both, or the chosen one to imitate. */
  private Stream<Example> takenApart(Example pair) {
    return Stream.of(CompletionRole.CHOSEN, CompletionRole.REJECTED)
        .filter(role -> kind == ExampleKind.LABELED || role == CompletionRole.CHOSEN)
        .map(role -> only(pair, role));
  }

  private static Example only(Example pair, CompletionRole role) {
    if (pair instanceof Example.Text text) {
      return new Example.Text(
          text.origin(), text.prompt(), Completion.only(text.completions(), role), text.numbers());
    } else if (pair instanceof Example.Chat chat) {
      return new Example.Chat(
          chat.origin(),
          chat.prompt(),
          Completion.only(chat.completions(), role),
          chat.templateVariables(),
          chat.numbers());
    }
    Example.Ids ids = (Example.Ids) pair;
    return new Example.Ids(
        ids.origin(), ids.prompt(), Completion.only(ids.completions(), role), ids.numbers());
  }

  private static List<Example> pairs(RowFields row, RowContent content, RowNumbers numbers) {
    RowOrigin origin = row.origin();
    Map<?, ?> values = row.values();
    if (content instanceof RowContent.Text text) {
      TemplateColumns.refuse(origin, values, "plain text is");
      return texts(row, text, numbers);
    } else if (content instanceof RowContent.Chat chat) {
      return chats(row, chat, TemplateColumns.read(origin, values), numbers);
    }
    TemplateColumns.refuse(origin, values, "token ids are");
    RowContent.Ids ids = (RowContent.Ids) content;
    checkSides(origin, ids.chosen(), ids.rejected(), List::isEmpty);
    return List.of(new Example.Ids(origin, ids.prompt(), ids.chosen(), ids.rejected(), numbers));
  }

  private static List<Example> texts(RowFields row, RowContent.Text text, RowNumbers numbers) {
    List<Example> pairs = new ArrayList<>();
    String w = text.chosen();
    for (String l : atLeastOne(row, text.rejected())) {
      RowOrigin origin = originOf(row, text.rejected(), pairs.size());
      checkSides(origin, w, l, String::isEmpty);
      String prompt = text.prompt();
      if (prompt != null) {
        checkRepeated(origin, prompt, w, l);
        pairs.add(new Example.Text(origin, prompt, w, l, numbers));
      } else {
        int cut = ImplicitPrompt.lengthOf(w, l);
        pairs.add(
            new Example.Text(
                origin, w.substring(0, cut), w.substring(cut), l.substring(cut), numbers));
      }
    }
    return pairs;
  }

  /**
   * Refuses a prompt that both completions repeat. If one side alone repeats it, that may be a poor
   * answer, which is what the pair is about.
   */
  private static void checkRepeated(RowOrigin origin, String prompt, String w, String l) {
    if (RepeatedPrompt.opens(w, prompt) && RepeatedPrompt.opens(l, prompt)) {
      throw repeated(origin, "chosen and rejected", "text");
    }
  }

  private static BadRowException repeated(RowOrigin origin, String sides, String what) {
    return new BadRowException(
        origin,
        "prompt repeated inside " + sides,
        "the model would read it twice; remove the column \"prompt\" or that " + what);
  }

  private static List<Example> chats(
      RowFields row,
      RowContent.Chat chat,
      Map<String, @Nullable Object> variables,
      RowNumbers numbers) {
    List<Example> pairs = new ArrayList<>();
    for (List<Message> rejected : atLeastOne(row, chat.rejected())) {
      RowOrigin origin = originOf(row, chat.rejected(), pairs.size());
      checkSides(origin, chat.chosen(), rejected, RowParser::saysNothing);
      pairs.add(
          chat.prompt() == null
              ? withSharedPrompt(row, origin, chat, rejected, variables, numbers)
              : withOwnPrompt(origin, chat.prompt(), chat.chosen(), rejected, variables, numbers));
    }
    return pairs;
  }

  private static Example withOwnPrompt(
      RowOrigin origin,
      List<Message> prompt,
      List<Message> chosen,
      List<Message> rejected,
      Map<String, @Nullable Object> variables,
      RowNumbers numbers) {
    if (prompt.isEmpty()) {
      throw new BadRowException(origin, "prompt without messages", "write at least one turn");
    }
    boolean inChosen = beginsWith(chosen, prompt);
    boolean inRejected = beginsWith(rejected, prompt);
    if (inChosen || inRejected) {
      throw repeated(
          origin,
          inChosen && inRejected ? "chosen and rejected" : inChosen ? "chosen" : "rejected",
          "part of the completions");
    }
    checkAnswers(origin, chosen, rejected);
    return new Example.Chat(origin, prompt, chosen, rejected, variables, numbers);
  }

  /** Whether turns begin with those of the prompt, ignoring system turns on both sides. */
  private static boolean beginsWith(List<Message> turns, List<Message> prompt) {
    List<Message> said = withoutSystem(turns);
    List<Message> asked = withoutSystem(prompt);
    return !asked.isEmpty()
        && said.size() >= asked.size()
        && said.subList(0, asked.size()).equals(asked);
  }

  private static List<Message> withoutSystem(List<Message> turns) {
    return turns.stream().dropWhile(turn -> isSystem(turn.role())).toList();
  }

  private static boolean isSystem(String role) {
    return role.equals("system") || role.equals("developer");
  }

  /** Completions are what the model writes, so they begin with an assistant turn. */
  private static void checkAnswers(RowOrigin origin, List<Message> chosen, List<Message> rejected) {
    checkAnswer(origin, "chosen", chosen.get(0).role());
    checkAnswer(origin, "rejected", rejected.get(0).role());
  }

  private static void checkAnswer(RowOrigin origin, String side, String role) {
    if (role.equals("user") || isSystem(role)) {
      throw new BadRowException(
          origin,
          side + " that begins with the " + role + "'s turn",
          "a completion must begin with the assistant's turn; move what comes before it into the"
              + " prompt");
    }
  }

  private static Example withSharedPrompt(
      RowFields row,
      RowOrigin origin,
      RowContent.Chat chat,
      List<Message> rejected,
      Map<String, @Nullable Object> variables,
      RowNumbers numbers) {
    List<Message> chosen = chat.chosen();
    int cut = ImplicitPrompt.lengthOf(chosen, rejected);
    if (cut == 0) {
      throw new BadRowException(
          origin,
          "no shared turn that could be the prompt",
          chat.repeated() == null
              ? OptionText.of(
                  "without a column \"prompt\" both sides must begin with the same turns; found %s; where the prompt has another name, pass {columns} prompt=NAME",
                  row.names())
              : "both sides must begin with the same turns or both with the assistant's");
    }
    List<Message> prompt = chosen.subList(0, cut);
    if (chat.repeated() != null
        && prompt.stream()
            .noneMatch(
                turn ->
                    turn.role().equals("user")
                        && turn.content() instanceof String said
                        && said.strip().equals(chat.repeated().strip()))) {
      throw new BadRowException(
          origin,
          "prompt that is no turn of the messages",
          "it must be what the user says in the turns that both sides begin with; where those turns"
              + " are the whole prompt, remove the column \"prompt\"");
    }
    Example.Chat pair =
        new Example.Chat(
            origin,
            prompt,
            chosen.subList(cut, chosen.size()),
            rejected.subList(cut, rejected.size()),
            variables,
            numbers);
    checkSides(origin, pair.chosen(), pair.rejected(), RowParser::saysNothing);
    checkAnswers(origin, pair.chosen(), pair.rejected());
    return pair;
  }

  private static <T> List<T> atLeastOne(RowFields row, RowContent.Rejected<T> rejected) {
    if (rejected.completions().isEmpty()) {
      throw row.bad("empty rejected", "write at least one completion or remove the row");
    }
    return rejected.completions();
  }

  private static RowOrigin originOf(RowFields row, RowContent.Rejected<?> rejected, int index) {
    return rejected.listed() ? row.origin().withRejected(index + 1) : row.origin();
  }

  /** If the user named a format, either the columns or the option may be wrong. */
  private void checkFormat(RowFields row, RowShape shape) {
    if (format != RowFormat.AUTO && !shape.required().stream().allMatch(row::has)) {
      throw row.bad(
          OptionText.of("row that does not fit {data_format} ")
              + format.name().toLowerCase(Locale.ROOT),
          "it must have the columns %s; found %s"
              .formatted(String.join(", ", shape.required()), RowFields.listed(row.values())));
    }
  }

  /**
   * Without this check, a single missing prompt in a file with prompts would be guessed from the
   * completions.
   */
  private void checkSameAsFirst(RowFields row, RowShape shape, Optional<OtherNames.Split> sides) {
    if (first == null) {
      boolean transcript =
          shape == RowShape.IMPLICIT_TEXT
              && HhTranscript.is(row.get("chosen"))
              && HhTranscript.is(row.get("rejected"));
      first =
          new First(
              row.origin(),
              shape,
              hasWeight(row),
              transcript,
              sides,
              margins ? MarginColumns.of(row) : null);
      return;
    }
    if (shape != first.shape) {
      for (String column : first.shape.required()) {
        if (!row.has(column)) {
          throw row.missing(column);
        }
      }
      throw row.bad(
          "another shape than the first row",
          "this row is %s but %s is %s; write all rows of a file alike"
              .formatted(quoted(shape), first.origin, quoted(first.shape)));
    }
    if (hasWeight(row) != first.hasWeight) {
      throw first.hasWeight
          ? row.missing(WEIGHT)
          : row.bad(
              "field \"weight\" that the first row does not have",
              "give every row of the file a weight or none");
    }
  }

  private static String quoted(RowShape shape) {
    return "\"" + shape.description.replace("\"", "") + "\"";
  }

  /** Null counts as no weight: some data sets have the column but never fill it. */
  private static boolean hasWeight(RowFields row) {
    return row.get(WEIGHT) != null;
  }

  private static OptionalDouble weight(RowFields row) {
    if (!hasWeight(row)) {
      return OptionalDouble.empty();
    }
    String reason = "weight that is not above 0 and finite";
    double weight = row.number(WEIGHT, reason);
    if (!(weight > 0) || Double.isInfinite(weight)) { // !(>) refuses NaN too
      throw row.bad(
          reason,
          "it is %s; to leave a row out, remove it; to reverse a preference, swap its sides or"
                  .formatted(row.get(WEIGHT))
              + " its label");
    }
    if (weight < 1 / LARGEST_WEIGHT || weight > LARGEST_WEIGHT) {
      throw row.bad(
          "weight that is not from 1e-100 to 1e100",
          "it is %s; only the relations of weights count, so divide all of them by one number"
              .formatted(row.get(WEIGHT)));
    }
    return OptionalDouble.of(weight);
  }

  /** The margin, if the loss reads it. */
  private OptionalDouble margin(RowFields row) {
    MarginColumns columns = Objects.requireNonNull(first).margins;
    return columns == null ? OptionalDouble.empty() : OptionalDouble.of(columns.read(row));
  }

  private static <T> void checkSides(RowOrigin origin, T chosen, T rejected, Predicate<T> isEmpty) {
    if (isEmpty.test(chosen)) {
      throw new BadRowException(origin, "empty chosen", "write a completion or remove the row");
    }
    if (isEmpty.test(rejected)) {
      throw new BadRowException(origin, "empty rejected", "write a completion or remove the row");
    }
    if (chosen.equals(rejected)) {
      throw new BadRowException(
          origin, "identical chosen and rejected", "nothing can be preferred; remove the row");
    }
  }

  private static boolean saysNothing(List<Message> turns) {
    return turns.stream().allMatch(turn -> turn.fields().size() == 2 && "".equals(turn.content()));
  }

  private void ignore(RowFields row, RowShape shape) {
    Set<String> extra = new LinkedHashSet<>();
    row.values().keySet().forEach(key -> extra.add((String) key));
    extra.removeAll(used(shape));
    extra.remove(WEIGHT);
    if (margins) {
      MarginColumns.NAMES.forEach(extra::remove);
    }
    ignoredColumns.addAll(extra);
    if (extra.contains(CompletionColumns.LABEL)
        && kind == ExampleKind.DEMONSTRATIONS
        && CompletionColumns.UNDESIRABLE.contains(
            String.valueOf(row.get(CompletionColumns.LABEL)))) {
      lostColumns.putIfAbsent(CompletionColumns.LABEL, row.origin());
    }
    for (String column : PARTS_OF_PROMPT) {
      Object value = row.get(column);
      if (extra.contains(column)
          && ((value instanceof String text && !text.isBlank())
              || (value instanceof List<?> list && !list.isEmpty()))) {
        lostColumns.putIfAbsent(column, row.origin());
      }
    }
  }

  private List<String> used(RowShape shape) {
    List<String> label = kind == ExampleKind.LABELED ? List.of(CompletionColumns.LABEL) : List.of();
    return Stream.of(shape.required(), shape.optional(), label, TemplateColumns.NAMES)
        .flatMap(List::stream)
        .toList();
  }

  /**
   * Unused columns may hold values that are refused elsewhere, such as NaN or an id of 100 digits.
   */
  private void checkUsed(RowFields row, RowShape shape) {
    used(shape).forEach(column -> RowJson.check(row.origin(), row.get(column)));
  }
}
