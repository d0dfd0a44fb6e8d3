package org.dpo4j.api;

import java.nio.file.Path;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.OptionalDouble;
import java.util.stream.Stream;
import org.dpo4j.Message;
import org.jspecify.annotations.Nullable;

/**
 * A prompt, a completion that was chosen and one that was rejected. Values are checked when they
 * are used, by the rules for rows of files; messages about them name the number of the pair.
 */
public sealed interface PreferencePair extends TrainingExample {

  @Override
  PreferencePair withWeight(double weight);

  /**
   * By how much the chosen completion is the better one, for {@link Losses#odpo}; empty by default.
   *
   * @return the margin
   */
  OptionalDouble margin();

  /**
   * The same pair with a margin, which {@link Losses#odpo} needs and other losses ignore. For two
   * scores it is {@code Math.log(scoreOfChosen - scoreOfRejected)}.
   *
   * @param margin finite
   * @return a changed copy
   */
  PreferencePair withMargin(double margin);

  /**
   * A pair of plain texts, which the model reads as they are. The end-of-sequence token is added to
   * both completions.
   *
   * @param prompt may be empty
   * @param chosen begins with the space that separates it from the prompt, if there is one
   * @param rejected differs from {@code chosen}
   * @return a pair of weight 1
   */
  static PreferencePair of(String prompt, String chosen, String rejected) {
    return new Text(prompt, chosen, rejected, 1);
  }

  /**
   * A pair of answers in a conversation, which the chat template renders.
   *
   * @param prompt at least one turn
   * @param chosen begins with a turn of the assistant
   * @param rejected differs from {@code chosen}
   * @return a pair of weight 1
   */
  static PreferencePair of(List<Message> prompt, List<Message> chosen, List<Message> rejected) {
    return new Conversation(prompt, chosen, rejected, Map.of(), 1);
  }

  /**
   * {@link #of(List, List, List)} for answers of one turn.
   *
   * @param prompt the turns or ids before the answers
   * @param chosen the chosen answer
   * @param rejected the rejected answer
   * @return a pair of weight 1
   */
  static PreferencePair of(List<Message> prompt, Message chosen, Message rejected) {
    return of(prompt, List.of(chosen), List.of(rejected));
  }

  /**
   * Reads a file of pairs: JSON Lines, JSON, CSV, TSV or Parquet, in any of the shapes of {@code
   * docs/reference/data-shapes.md}. A row with several rejected completions gives several pairs.
   * Columns of scores and margins are not read.
   *
   * @param file a file with one of the endings above
   * @return read lazily and in order; close it unless it is read to its end. A bad row throws a
   *     {@link org.dpo4j.DpoException} that names file and line
   * @throws org.dpo4j.UsageException if there is no such file
   */
  static Stream<PreferencePair> read(Path file) {
    return ExampleRows.read(file);
  }

  /**
   * A pair of plain texts.
   *
   * @param prompt may be empty
   * @param chosen the completion that was chosen
   * @param rejected the completion that was rejected
   * @param weight how much the pair counts
   * @param margin by how much the chosen completion is better
   */
  record Text(String prompt, String chosen, String rejected, double weight, OptionalDouble margin)
      implements PreferencePair {

    /**
     * A pair without a margin.
     *
     * @param prompt may be empty
     * @param chosen the completion that was chosen
     * @param rejected the completion that was rejected
     * @param weight how much the pair counts
     */
    public Text(String prompt, String chosen, String rejected, double weight) {
      this(prompt, chosen, rejected, weight, OptionalDouble.empty());
    }

    @Override
    public Text withWeight(double newWeight) {
      return new Text(prompt, chosen, rejected, newWeight, margin);
    }

    @Override
    public Text withMargin(double newMargin) {
      return new Text(prompt, chosen, rejected, weight, OptionalDouble.of(newMargin));
    }
  }

  /**
   * A pair of answers in a conversation.
   *
   * @param prompt the turns before the answers
   * @param chosen the turns that were chosen
   * @param rejected the turns that were rejected
   * @param templateVariables further variables for the chat template, such as {@code tools}: JSON
   *     values as plain Java
   * @param weight how much the pair counts
   * @param margin by how much the chosen completion is better
   */
  record Conversation(
      List<Message> prompt,
      List<Message> chosen,
      List<Message> rejected,
      Map<String, @Nullable Object> templateVariables,
      double weight,
      OptionalDouble margin)
      implements PreferencePair {

    /**
     * Copies the lists and the map.
     *
     * @param prompt the turns or ids before the answers
     * @param chosen the chosen answer
     * @param rejected the rejected answer
     * @param templateVariables variables for the chat template
     * @param weight how much the pair counts
     * @param margin by how much the chosen completion is better
     */
    public Conversation {
      prompt = List.copyOf(prompt);
      chosen = List.copyOf(chosen);
      rejected = List.copyOf(rejected);
      templateVariables = Collections.unmodifiableMap(new LinkedHashMap<>(templateVariables));
    }

    /**
     * A pair without a margin.
     *
     * @param prompt the turns before the answers
     * @param chosen the turns that were chosen
     * @param rejected the turns that were rejected
     * @param templateVariables variables for the chat template
     * @param weight how much the pair counts
     */
    public Conversation(
        List<Message> prompt,
        List<Message> chosen,
        List<Message> rejected,
        Map<String, @Nullable Object> templateVariables,
        double weight) {
      this(prompt, chosen, rejected, templateVariables, weight, OptionalDouble.empty());
    }

    @Override
    public Conversation withWeight(double newWeight) {
      return new Conversation(prompt, chosen, rejected, templateVariables, newWeight, margin);
    }

    @Override
    public Conversation withMargin(double newMargin) {
      return new Conversation(
          prompt, chosen, rejected, templateVariables, weight, OptionalDouble.of(newMargin));
    }
  }

  /**
   * A pair of token ids, which are used as they are: no token is added.
   *
   * @param prompt ids of the prompt; may be empty
   * @param chosen ids of the chosen completion
   * @param rejected ids of the rejected completion
   * @param weight how much the pair counts
   * @param margin by how much the chosen completion is better
   */
  record TokenIds(
      List<Integer> prompt,
      List<Integer> chosen,
      List<Integer> rejected,
      double weight,
      OptionalDouble margin)
      implements PreferencePair {

    /**
     * Copies the lists.
     *
     * @param prompt the turns or ids before the answers
     * @param chosen the chosen answer
     * @param rejected the rejected answer
     * @param weight how much the pair counts
     * @param margin by how much the chosen completion is better
     */
    public TokenIds {
      prompt = List.copyOf(prompt);
      chosen = List.copyOf(chosen);
      rejected = List.copyOf(rejected);
    }

    /**
     * A pair without a margin.
     *
     * @param prompt ids of the prompt; may be empty
     * @param chosen ids of the chosen completion
     * @param rejected ids of the rejected completion
     * @param weight how much the pair counts
     */
    public TokenIds(
        List<Integer> prompt, List<Integer> chosen, List<Integer> rejected, double weight) {
      this(prompt, chosen, rejected, weight, OptionalDouble.empty());
    }

    @Override
    public TokenIds withWeight(double newWeight) {
      return new TokenIds(prompt, chosen, rejected, newWeight, margin);
    }

    @Override
    public TokenIds withMargin(double newMargin) {
      return new TokenIds(prompt, chosen, rejected, weight, OptionalDouble.of(newMargin));
    }
  }
}
