package org.dpo4j.judge;

import java.nio.file.Path;
import java.util.Optional;
import java.util.function.Consumer;
import java.util.regex.Pattern;
import org.dpo4j.DpoException;
import org.dpo4j.data.SampledPrompt;

/** Scores the completions of a prompt. */
public interface Judge extends AutoCloseable {

  /**
   * Limits of a command that judges a completion.
   *
   * @param seconds of the clock and of the processor, after which it is ended and the completion
   *     scores 0
   * @param kilobytes that it may write into one file, its output included
   */
  record CommandLimits(int seconds, int kilobytes) {}

  /**
   * Scores completions; prompts are passed in the order of their file.
   *
   * @param prompt with the completions to score
   * @return a finite score for each completion of {@code prompt}, higher for a better one
   * @throws DpoException if the row lacks what the rule needs, or a score cannot be computed
   */
  double[] scores(SampledPrompt prompt);

  /**
   * Checks after the last prompt that nothing is left to score.
   *
   * @throws DpoException if there are scores of more prompts
   */
  default void end() {}

  /** Frees what the judge holds. */
  @Override
  default void close() {}

  /**
   * 1 where a regular expression is found, else 0.
   *
   * @param answer column whose value the first group of the last match must equal, as in {@link
   *     #exact}; empty to compare nothing
   */
  static Judge regex(Pattern pattern, Optional<String> answer) {
    return new RegexJudge(pattern, answer);
  }

  /**
   * 1 where the completion equals an answer, else 0. Case, white space around and between words,
   * and punctuation around the text do not count.
   *
   * @param answer column of the answer, or of a list of answers of which one must be met
   */
  static Judge exact(String answer) {
    return new ExactJudge(answer);
  }

  /** The negative number of tokens, so that the shortest is best. */
  static Judge shorter() {
    return new LengthJudge(tokens -> -tokens);
  }

  /** The number of tokens. */
  static Judge longer() {
    return new LengthJudge(tokens -> tokens);
  }

  /** The negative distance of the number of tokens from a target. */
  static Judge length(int target) {
    return new LengthJudge(tokens -> -Math.abs(tokens - target));
  }

  /**
   * 1 where the completion is one JSON value that a schema allows, else 0.
   *
   * @param schema a file in JSON Schema; empty to allow every value
   * @throws DpoException if the file is no schema
   */
  static Judge json(Optional<Path> schema) {
    return new JsonJudge(schema);
  }

  /**
   * 1 where a command that reads the completion ends with code 0, else 0.
   *
   * @param limits of each call
   * @param parallel number of calls at a time
   */
  static Judge command(String command, CommandLimits limits, int parallel) {
    return new CommandJudge(command, limits, parallel);
  }

  /**
   * The output of a reward model for the prompt with the completion.
   *
   * @param model folder of a checkpoint with a head {@code score}, and of its tokenizer
   * @param threads of the CPU; 0 for all cores
   * @param warnings receives what may be wrong with its files
   */
  static Judge reward(Path model, int threads, Consumer<String> warnings) {
    return new RewardJudge(model, threads, warnings);
  }

  /**
   * The scores of a file: a row for each prompt, with a list {@code scores} for all of its
   * completions.
   */
  static Judge scoreFile(Path file) {
    return new ScoreFileJudge(file);
  }
}
