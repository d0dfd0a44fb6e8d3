package org.dpo4j.run;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.dpo4j.DpoException;
import org.dpo4j.config.TrainingConfig;
import org.dpo4j.encode.EncodedExample;
import org.dpo4j.generate.Generator;
import org.dpo4j.generate.TokenSampler;
import org.dpo4j.report.Progress;
import org.dpo4j.report.RunOutput;
import org.dpo4j.report.RunSummary;
import org.dpo4j.tokenizer.ModelTokenizer;
import org.dpo4j.tokenizer.TextReplacement;

/**
 * The model's answers to a few prompts of the data before the first step and after the last, for
 * the model card. Answers are greedy and short, so that they take little time and no random
 * numbers.
 */
final class SampleAnswers {
  private static final int TOKENS = 48;
  private static final int LONGEST_PROMPT = 512;

  /** Rows that are looked through for prompts that differ. */
  private static final int LOOKED_AT = 64;

  private final TrainingConfig config;
  private final TextReplacement replaced;
  private final RunOutput output;
  private final Progress progress;
  private final Generator generator;
  private final List<int[]> prompts;
  private final List<String> texts = new ArrayList<>();
  private final List<String> before = new ArrayList<>();

  /**
   * Chooses the first prompts of the first evaluation set, or of the training pairs without any,
   * and answers them. The tokenizer may be closed afterwards.
   */
  SampleAnswers(
      TrainingConfig config, ModelBundle inputs, TrainingExamples pairs, RunOutput output) {
    this.config = config;
    this.replaced = inputs.replaced();
    this.output = output;
    this.progress = output.progress();
    this.generator = new Generator(inputs.model(), inputs.endTokens(), new TokenSampler(0, 1), 0);
    this.prompts =
        choose(
            pairs.heldOut().stream()
                .findFirst()
                .map(HeldOut::dataset)
                .orElse(pairs.training())
                .examples(),
            config.output().samplePrompts(),
            Math.min(LONGEST_PROMPT, inputs.model().maxPositions() - TOKENS));
    prompts.forEach(prompt -> texts.add(inputs.tokenizer().text().decode(prompt)));
    try {
      answer(before, inputs.tokenizer());
    } catch (DpoException e) {
      // What is wrong with the model stops the run later, with the rows.
      prompts.clear();
      warn(e);
    }
  }

  private void warn(Throwable failure) {
    output.warn("no sample answers in the model card: " + failure.getMessage());
  }

  /** The first distinct prompts that leave enough positions for an answer. */
  private static List<int[]> choose(List<EncodedExample> pairs, int count, int longest) {
    List<int[]> prompts = new ArrayList<>();
    for (int i = 0; i < Math.min(LOOKED_AT, pairs.size()) && prompts.size() < count; i++) {
      int[] prompt = pairs.get(i).promptIds();
      boolean fits = prompt.length > 0 && prompt.length <= longest;
      if (fits && prompts.stream().noneMatch(other -> Arrays.equals(other, prompt))) {
        prompts.add(prompt);
      }
    }
    return prompts;
  }

  private void answer(List<String> answers, ModelTokenizer tokenizer) {
    for (int[] prompt : prompts) {
      progress.update("sample answers", answers.size(), prompts.size(), "");
      Generator.Completion answer = generator.generate(prompt, TOKENS);
      // An ellipsis marks an unfinished answer.
      answers.add(tokenizer.text().decode(answer.ids()) + (answer.ended() ? "" : " …"));
    }
    progress.update("sample answers", prompts.size(), prompts.size(), "");
  }

  /** The same prompts again, answered by the model as it is now. */
  List<RunSummary.Sample> after() {
    if (prompts.isEmpty()) {
      return List.of();
    }
    List<String> after = new ArrayList<>();
    // The earlier tokenizer was closed to free its memory for training.
    try (ModelTokenizer tokenizer = replaced.read(config.model().model())) {
      answer(after, tokenizer);
    } catch (RuntimeException | OutOfMemoryError e) {
      // The trained weights are not saved yet: a failure of the samples must not lose them.
      warn(e);
      return List.of();
    }
    List<RunSummary.Sample> samples = new ArrayList<>();
    for (int i = 0; i < prompts.size(); i++) {
      samples.add(new RunSummary.Sample(texts.get(i), before.get(i), after.get(i)));
    }
    return samples;
  }
}
