package org.dpo4j.survey;

import java.lang.Character.UnicodeScript;
import java.util.ArrayList;
import java.util.Collections;
import java.util.EnumMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.TreeMap;
import org.dpo4j.ExampleKind;
import org.dpo4j.OptionText;
import org.dpo4j.data.CompletionRole;
import org.dpo4j.data.RowOrigin;
import org.dpo4j.encode.EncodedCompletion;
import org.dpo4j.encode.EncodedExample;
import org.dpo4j.encode.EncodedRow;
import org.jspecify.annotations.Nullable;

/**
 * Totals of the rows of a data set, which are added in their order. Keeps 104 to 165 bytes per used
 * example: its place, a hash, and a signature of its text. Not safe for use by several threads.
 */
public final class DataSurvey {

  /** Words of a prompt's end that are compared; what opens all prompts would make them alike. */
  private static final int PROMPT_WORDS = 32;

  private static final int PROMPT_CHARACTERS = 400;

  /** Share of the pairs from which answers in two scripts are no chance. */
  private static final double SCRIPTS = 0.01;

  private final ExampleKind kind;
  private final LengthCounts prompts = new LengthCounts();
  private final Map<String, LengthCounts> completions = new LinkedHashMap<>();
  private final LengthCounts wholes = new LengthCounts();
  private final LengthCounts scored = new LengthCounts();
  private final Map<EncodedRow.Boundary, Long> boundaries =
      new EnumMap<>(EncodedRow.Boundary.class);
  private final Places places = new Places();
  private final Repeats repeats = new Repeats();
  private final NearDuplicates similar = new NearDuplicates();
  private final Likeness same = new Likeness();
  private final Likeness opposite = new Likeness();
  private final Likeness near = new Likeness();
  private final Map<String, Refusals> refusals = new TreeMap<>();
  private final Map<String, Long> scripts = new TreeMap<>();
  private final Likeness mixedScripts = new Likeness();
  private int used;
  private long longer;
  private long shorter;
  private long chosenTokens;
  private long rejectedTokens;

  /** Examples that are like an earlier one. */
  private static final class Likeness {
    private long count;
    private @Nullable RowOrigin first;
    private @Nullable RowOrigin earlier;

    private void add(RowOrigin origin, RowOrigin other) {
      if (count++ == 0) {
        first = origin;
        earlier = other;
      }
    }
  }

  /**
   * Refusals among some answers.
   *
   * @param refusing answers that open as English refusals do
   * @param answers all of them
   */
  public record Refusals(long refusing, long answers) {
    private Refusals plus(Refusals more) {
      return new Refusals(refusing + more.refusing, answers + more.answers);
    }
  }

  /** A survey of examples of a kind. */
  public DataSurvey(ExampleKind kind) {
    this.kind = kind;
  }

  /** Counts the next row; a bad row is not counted. */
  public void add(EncodedRow row) {
    if (row.isBad()) {
      return;
    }
    lengths(row);
    EncodedExample example = row.usable().orElse(null);
    if (example == null) {
      return;
    }
    used++;
    boundaries.merge(row.boundary(), 1L, Long::sum);
    scored.add(example.scoredTokens());
    if (example.isPair()) {
      sides(example.chosenIds().length, example.rejectedIds().length);
    }
    int index = places.add(row.origin());
    likeness(row, example, index);
    hints(row, example);
  }

  private void lengths(EncodedRow row) {
    List<Integer> sides = row.uncut().completions();
    prompts.add(row.uncut().prompt());
    wholes.add(row.uncut().prompt() + Collections.max(sides));
    for (int i = 0; i < sides.size(); i++) {
      String column = sides.size() == 2 ? (i == 0 ? "chosen" : "rejected") : "completion";
      completions.computeIfAbsent(column, name -> new LengthCounts()).add(sides.get(i));
    }
  }

  private void sides(int chosen, int rejected) {
    longer += chosen > rejected ? 1 : 0;
    shorter += chosen < rejected ? 1 : 0;
    chosenTokens += chosen;
    rejectedTokens += rejected;
  }

  private void likeness(EncodedRow row, EncodedExample example, int index) {
    Repeats.Earlier repeated = repeats.findOrAdd(example, index);
    if (repeated != null) {
      boolean contradicts = repeated.opposite() && kind != ExampleKind.DEMONSTRATIONS;
      (contradicts ? opposite : same).add(row.origin(), places.get(repeated.index()));
      return;
    }
    List<String> texts = new ArrayList<>(row.texts().completions());
    texts.add(end(row.texts().prompt()));
    OptionalInt found = similar.findOrAdd(texts, index);
    if (found.isPresent()) {
      near.add(row.origin(), places.get(found.getAsInt()));
    }
  }

  private void hints(EncodedRow row, EncodedExample example) {
    List<Optional<UnicodeScript>> found = new ArrayList<>();
    List<EncodedCompletion> sides = example.completions();
    for (int i = 0; i < sides.size(); i++) {
      String text = row.texts().completions().get(i);
      String side =
          kind == ExampleKind.DEMONSTRATIONS ? "answers" : side(sides.get(i), example.isPair());
      refusals.merge(side, new Refusals(AnswerHints.refuses(text) ? 1 : 0, 1), Refusals::plus);
      Optional<UnicodeScript> script = AnswerHints.script(text);
      script.ifPresent(name -> scripts.merge(name(name), 1L, Long::sum));
      found.add(script);
    }
    if (found.size() == 2
        && found.stream().allMatch(Optional::isPresent)
        && !found.get(0).equals(found.get(1))) {
      mixedScripts.add(row.origin(), row.origin());
    }
  }

  private static String side(EncodedCompletion completion, boolean pair) {
    boolean chosen = completion.role() == CompletionRole.CHOSEN;
    return pair ? (chosen ? "chosen" : "rejected") : (chosen ? "desirable" : "undesirable");
  }

  private static String name(UnicodeScript script) {
    String lower = script.name().toLowerCase(Locale.ROOT).replace('_', ' ');
    return Character.toUpperCase(lower.charAt(0)) + lower.substring(1);
  }

  private static String end(String prompt) {
    int words = 0;
    int at = prompt.length();
    int first = Math.max(0, prompt.length() - PROMPT_CHARACTERS);
    while (at > first) {
      boolean begins =
          !Character.isWhitespace(prompt.charAt(at - 1))
              && (at < 2 || Character.isWhitespace(prompt.charAt(at - 2)));
      at--;
      if (begins && ++words == PROMPT_WORDS) {
        break;
      }
    }
    return prompt.substring(at);
  }

  /** Used examples. */
  public int used() {
    return used;
  }

  /** Tokens of the prompts before any cut. */
  public LengthCounts prompts() {
    return prompts;
  }

  /** Tokens of the completions before any cut, by column. */
  public Map<String, LengthCounts> completions() {
    return Collections.unmodifiableMap(completions);
  }

  /** Tokens of the prompt with its longest completion before any cut: what a limit is for. */
  public LengthCounts wholes() {
    return wholes;
  }

  /** Tokens of an example that are scored. */
  public LengthCounts scored() {
    return scored;
  }

  /** How many used examples have their prompt's end where. */
  public Map<EncodedRow.Boundary, Long> boundaries() {
    return Collections.unmodifiableMap(boundaries);
  }

  /** Examples with the ids and the preference of an earlier one. */
  public long duplicates() {
    return same.count;
  }

  /** Examples with the ids of an earlier one and the opposite preference. */
  public long contradictions() {
    return opposite.count;
  }

  /** Other examples whose text is nearly that of an earlier one. */
  public long nearDuplicates() {
    return near.count;
  }

  /** Answers that open as English refusals do, by side. */
  public Map<String, Refusals> refusals() {
    return Collections.unmodifiableMap(refusals);
  }

  /** Answers by the script of most of their letters. */
  public Map<String, Long> scripts() {
    return Collections.unmodifiableMap(scripts);
  }

  /** How the sides of the pairs differ in length; empty if there are no pairs. */
  public Optional<LengthBias> bias() {
    return kind != ExampleKind.PAIRS || used == 0
        ? Optional.empty()
        : Optional.of(
            new LengthBias(
                longer,
                shorter,
                used - longer - shorter,
                (double) chosenTokens / used,
                (double) rejectedTokens / used));
  }

  /** What is rarely intended about the examples as a whole, each with what to do. */
  public List<String> findings() {
    List<String> found = new ArrayList<>();
    String noun = kind.noun();
    if (same.count > 0) {
      found.add(
          "%d of %d %ss have the tokens of an earlier one (first %s, which is %s); each is trained"
                  .formatted(same.count, used, noun, same.first, same.earlier)
              + " on as often as it is there; leave them out unless that is meant");
    }
    if (opposite.count > 0) {
      found.add(
          "%d of %d %ss are an earlier one with the opposite %s (first %s, which is %s); one of the"
                  .formatted(
                      opposite.count,
                      used,
                      noun,
                      kind == ExampleKind.PAIRS ? "preference" : "label",
                      opposite.first,
                      opposite.earlier)
              + " two is wrong, and together they teach nothing; decide for one");
    }
    if (near.count > 0) {
      found.add(
          OptionText.of(
              "%d of %d %ss have four fifths of their words or more in common with an earlier one"
                  + " (first %s, with %s); with {eval_split} both sides may get one; keep one of"
                  + " each kind",
              near.count, used, noun, near.first, near.earlier));
    }
    bias()
        .filter(LengthBias::isStrong)
        .ifPresent(
            bias ->
                found.add(
                    String.format(
                        Locale.ROOT,
                        "the %s answer is the longer one in %.0f %% of %d pairs; to prefer length is"
                            + " to be right there, and the model learns to write %s; even the"
                            + " lengths out, or use a loss that does not reward them",
                        bias.longer() > bias.shorter() ? "chosen" : "rejected",
                        100 * bias.share(),
                        bias.longer() + bias.shorter(),
                        bias.longer() > bias.shorter() ? "more" : "less")));
    if (mixedScripts.count > SCRIPTS * used) {
      found.add(
          "%d of %d pairs have answers in two scripts, such as Latin and Han (first %s); the model"
                  .formatted(mixedScripts.count, used, mixedScripts.first)
              + " learns to choose the language; give both answers in that of the prompt");
    }
    return found;
  }
}
