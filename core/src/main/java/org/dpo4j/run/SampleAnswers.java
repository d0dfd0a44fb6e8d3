package org.dpo4j.run;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import org.dpo4j.DpoException;
import org.dpo4j.EvaluationReport;
import org.dpo4j.TrainingControl;
import org.dpo4j.TrainingListener;
import org.dpo4j.config.TrainingConfig;
import org.dpo4j.data.PromptReader;
import org.dpo4j.encode.EncodedExample;
import org.dpo4j.generate.Generator;
import org.dpo4j.generate.TokenSampler;
import org.dpo4j.report.RunOutput;
import org.dpo4j.report.RunSummary;
import org.dpo4j.report.SampleFile;
import org.dpo4j.tokenizer.ModelTokenizer;
import org.dpo4j.tokenizer.TextReplacement;
import org.jspecify.annotations.Nullable;

/**
 * The model's answers to a few prompts before the first step and after the last, for the model
 * card; to the prompts of a file also at each evaluation. Answers are greedy and short, so that
 * they take little time and no random numbers.
 */
final class SampleAnswers implements TrainingListener {

  /** Receives an answer. */
  interface Receiver {

    /**
     * A prompt was answered.
     *
     * @param step steps done
     */
    void answered(int step, String prompt, String answer);
  }

  private static final int TOKENS = 48;
  private static final int LONGEST_PROMPT = 512;

  /** Rows that are looked through for prompts that differ. */
  private static final int LOOKED_AT = 64;

  @SuppressWarnings("ArrayRecordComponent") // never compared
  private record Sample(String prompt, int[] ids, String before) {}

  private final TrainingConfig config;
  private final RunOutput output;
  private final Receiver receiver;
  private final List<Sample> samples = new ArrayList<>();
  private final SampleFile file;
  private @Nullable TextReplacement replaced;
  private @Nullable Generator generator;
  private int answeredAt;
  private int evaluatedAt;

  /**
   * Answers nothing before {@link #begin}.
   *
   * @param receiver of all answers but those after the last step
   */
  SampleAnswers(TrainingConfig config, RunOutput output, Receiver receiver) {
    this.config = config;
    this.output = output;
    this.receiver = receiver;
    this.file = new SampleFile(output::warn);
  }

  /**
   * Chooses the prompts and answers them for the first time. The tokenizer may be closed
   * afterwards.
   *
   * @param path of the file of answers
   * @param step that a continued run starts from; 0 for a new run
   * @throws DpoException if a prompt of the file cannot be answered
   */
  void begin(ModelBundle inputs, TrainingExamples pairs, Path path, int step) {
    if (config.output().samplePrompts().isNone()) {
      return;
    }
    file.begin(path, step);
    replaced = inputs.replaced();
    generator = new Generator(inputs.model(), inputs.endTokens(), new TokenSampler(0, 1), 0);
    Optional<Path> own = config.output().samplePrompts().file();
    List<int[]> prompts = new ArrayList<>();
    List<String> texts = new ArrayList<>();
    if (own.isPresent()) {
      for (PromptReader.Prompt prompt : PromptReader.read(own.get())) {
        prompts.add(
            PromptIds.of(
                prompt.origin() + " ", prompt.messages(), inputs.tokenizer(), false, generator));
        texts.add(prompt.messages().get(prompt.messages().size() - 1).text());
      }
    } else {
      prompts.addAll(ofData(pairs, inputs.model().maxPositions()));
      prompts.forEach(prompt -> texts.add(inputs.tokenizer().text().decode(prompt)));
    }
    try {
      List<String> answers = answers(prompts, inputs.tokenizer());
      for (int i = 0; i < prompts.size(); i++) {
        samples.add(new Sample(texts.get(i), prompts.get(i), answers.get(i)));
      }
      tell(0, answers, step == 0); // the weights are not yet those of the checkpoint
      answeredAt = step;
    } catch (DpoException e) {
      // What is wrong with the model stops the run later, with the rows.
      warn(e);
    }
  }

  /** The first distinct prompts of the first evaluation set, or of the training pairs. */
  private List<int[]> ofData(TrainingExamples pairs, int positions) {
    List<EncodedExample> examples =
        pairs.heldOut().stream()
            .findFirst()
            .map(HeldOut::dataset)
            .orElse(pairs.training())
            .examples();
    int longest = Math.min(LONGEST_PROMPT, positions - TOKENS);
    int count = config.output().samplePrompts().count();
    List<int[]> prompts = new ArrayList<>();
    for (int i = 0; i < Math.min(LOOKED_AT, examples.size()) && prompts.size() < count; i++) {
      int[] prompt = examples.get(i).promptIds();
      boolean fits = prompt.length > 0 && prompt.length <= longest;
      if (fits && prompts.stream().noneMatch(other -> Arrays.equals(other, prompt))) {
        prompts.add(prompt);
      }
    }
    return prompts;
  }

  private void warn(Throwable failure) {
    output.warn("no sample answers: " + failure.getMessage());
    samples.clear();
  }

  private List<String> answers(List<int[]> prompts, ModelTokenizer tokenizer) {
    List<String> answers = new ArrayList<>();
    for (int[] prompt : prompts) {
      output.progress().update("sample answers", answers.size(), prompts.size(), "");
      Generator.Completion answer = Objects.requireNonNull(generator).generate(prompt, TOKENS);
      // An ellipsis marks an unfinished answer.
      answers.add(tokenizer.text().decode(answer.ids()) + (answer.ended() ? "" : " …"));
    }
    output.progress().update("sample answers", prompts.size(), prompts.size(), "");
    return answers;
  }

  private void tell(int step, List<String> answers, boolean recorded) {
    answeredAt = step;
    for (int i = 0; i < answers.size(); i++) {
      if (recorded) {
        file.add(step, samples.get(i).prompt(), answers.get(i));
      }
      receiver.answered(step, samples.get(i).prompt(), answers.get(i));
    }
  }

  @Override
  public void onEvaluation(EvaluationReport report, TrainingControl control) {
    boolean due = config.output().samplePrompts().file().isPresent();
    if (due && report.step() > answeredAt) { // once for all sets
      tell(report.step(), again(), true);
    }
    evaluatedAt = report.step();
  }

  /** The same prompts, answered by the model as it is now; empty without any. */
  private List<String> again() {
    if (samples.isEmpty()) {
      return List.of();
    }
    // The earlier tokenizer was closed to free its memory for training.
    try (ModelTokenizer tokenizer = Objects.requireNonNull(replaced).read(config.model().model())) {
      return answers(samples.stream().map(Sample::ids).toList(), tokenizer);
    } catch (RuntimeException | OutOfMemoryError e) {
      // The weights are not saved yet: a failure of the samples must not lose them.
      warn(e);
      return List.of();
    }
  }

  /**
   * The answers before training and those of the model as it is now.
   *
   * @param steps that were done; with the best checkpoint at the end, the answers are those after
   *     its steps, which were the last to be evaluated
   */
  List<RunSummary.Sample> after(int steps) {
    int step = config.checkpoints().loadBestModelAtEnd() ? evaluatedAt : steps;
    List<String> after = again();
    tell(step, after, step > answeredAt);
    List<RunSummary.Sample> both = new ArrayList<>();
    for (int i = 0; i < after.size(); i++) {
      both.add(
          new RunSummary.Sample(samples.get(i).prompt(), samples.get(i).before(), after.get(i)));
    }
    return both;
  }
}
