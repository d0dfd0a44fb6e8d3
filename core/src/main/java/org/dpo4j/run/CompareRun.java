package org.dpo4j.run;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.stream.IntStream;
import org.dpo4j.OptionText;
import org.dpo4j.UsageException;
import org.dpo4j.config.CompareConfig;
import org.dpo4j.config.Devices;
import org.dpo4j.evaluate.AnswerText;
import org.dpo4j.generate.Generator;
import org.dpo4j.logprob.SequenceLogProbs;
import org.dpo4j.report.RunOutput;
import org.dpo4j.report.ShortNumber;
import org.dpo4j.report.StyledLine;
import org.dpo4j.tokenizer.TokenizerVocabulary;
import org.dpo4j.torch.Engine;

/** Lets models answer the same prompts, and shows the answers side by side. */
public final class CompareRun {

  /**
   * An answer.
   *
   * @param logProb of its tokens under the model that gave it
   * @param underFirst of the same tokens under the first model; NaN if ids differ in meaning
   */
  @SuppressWarnings("ArrayRecordComponent") // never compared
  private record Answer(
      String text, int[] prompt, int[] ids, double logProb, double underFirst, boolean ended) {

    Answer withFirst(double value) {
      return new Answer(text, prompt, ids, logProb, value, ended);
    }

    /** How much likelier its tokens are under its own model, in nats per token. */
    double logRatio() {
      return (logProb - underFirst) / ids.length;
    }
  }

  private final CompareConfig config;
  private final RunOutput output;
  private final List<EvaluatedModel> models;
  private final List<Prompt> prompts;

  private CompareRun(
      CompareConfig config, RunOutput output, List<EvaluatedModel> models, List<Prompt> prompts) {
    this.config = config;
    this.output = output;
    this.models = models;
    this.prompts = prompts;
  }

  /** Generates with each model in turn, and prints or writes the answers. */
  public static void run(CompareConfig config, RunOutput output) {
    config.checkInputs();
    List<Prompt> prompts = Prompt.of(config.input());
    CompareRun run = new CompareRun(config, output, models(config, output), prompts);
    if (config.output().isEmpty()) {
      run.print(run.answers());
      return;
    }
    List<Path> inputs = new ArrayList<>();
    config.input().file().ifPresent(inputs::add);
    run.models.forEach(model -> inputs.add(model.name()));
    try (RowWriter writer = RowWriter.open(config.output().get(), inputs, output)) {
      List<List<Answer>> answers = run.answers();
      for (int i = 0; i < prompts.size(); i++) {
        writer.write(run.line(i, answers));
      }
      writer.publish();
      writer.say(run.totals(answers));
    }
  }

  private static List<EvaluatedModel> models(CompareConfig config, RunOutput output) {
    List<EvaluatedModel> models = new ArrayList<>();
    for (Path folder : config.model()) {
      models.add(EvaluatedModel.of(folder, config.baseModel(), config.refModel(), output));
    }
    if (models.size() > 1) {
      return models;
    }
    EvaluatedModel only = models.get(0);
    Path reference =
        only.toBase()
            ? only.base()
            : only.reference()
                .orElseThrow(
                    () ->
                        new UsageException(
                            "model",
                            "must be at least two, or one whose reference is known",
                            "%s is alone".formatted(only.name()),
                            OptionText.of("pass what it was trained from as {ref_model}")));
    return List.of(
        new EvaluatedModel(
            reference, reference, Optional.empty(), Optional.empty(), false, Optional.empty()),
        only);
  }

  /** By model, then by prompt. */
  private List<List<Answer>> answers() {
    List<List<Answer>> answers = new ArrayList<>();
    try (Engine.Threads threads = Engine.use(config.threads())) {
      for (EvaluatedModel model : models) {
        answers.add(generate(model));
      }
      scoreUnderFirst(answers);
    }
    return answers;
  }

  private ModelBundle open(EvaluatedModel model) {
    return ModelBundle.open(
        model.base(),
        model.adapter(),
        config.template().replacing(),
        Devices.of(config.device()),
        output);
  }

  private List<Answer> generate(EvaluatedModel model) {
    try (ModelBundle inputs = open(model)) {
      PromptIds.noteUnread(inputs, output);
      Generator generator =
          new Generator(inputs.model(), inputs.endTokens(), config.tokens(), config.seed());
      List<int[]> ids = Prompt.ids(prompts, inputs, config.raw(), generator);
      List<Answer> answers = new ArrayList<>();
      for (int[] prompt : ids) {
        Generator.Completion completion = generator.generate(prompt, config.maxNewTokens());
        answers.add(
            new Answer(
                inputs.tokenizer().text().decode(completion.ids()),
                prompt,
                completion.ids(),
                logProb(inputs, prompt, completion.ids()),
                Double.NaN,
                completion.ended()));
        output
            .progress()
            .update("compare " + Paths.name(model.name()), answers.size(), ids.size(), "");
      }
      return answers;
    }
  }

  private static double logProb(ModelBundle inputs, int[] prompt, int[] answer) {
    double sum = 0;
    for (double token : SequenceLogProbs.tokenLogProbs(inputs.model(), prompt, answer)) {
      sum += token;
    }
    return sum;
  }

  /** Only where the ids mean the same. */
  private void scoreUnderFirst(List<List<Answer>> answers) {
    List<Integer> alike =
        IntStream.range(1, models.size())
            .filter(
                i ->
                    TokenizerVocabulary.same(models.get(0).base(), models.get(i).base())
                        .orElse(false))
            .boxed()
            .toList();
    if (alike.isEmpty()) {
      return;
    }
    try (ModelBundle first = open(models.get(0))) {
      for (int i : alike) {
        List<Answer> scored = new ArrayList<>();
        for (Answer answer : answers.get(i)) {
          scored.add(answer.withFirst(logProb(first, answer.prompt, answer.ids)));
        }
        answers.set(i, scored);
      }
    }
  }

  private void print(List<List<Answer>> answers) {
    for (int i = 0; i < prompts.size(); i++) {
      output.out().println(prompts.get(i).place() + prompts.get(i).text().strip());
      AnswerText first = AnswerText.of(answers.get(0).get(i).text().strip());
      for (int model = 0; model < models.size(); model++) {
        Answer answer = answers.get(model).get(i);
        output.out().println("  " + models.get(model).name() + facts(answer));
        StyledLine line = new StyledLine().add("    ");
        AnswerText text = AnswerText.of(answer.text().strip());
        if (model == 0) {
          line.add(String.join("", text.words()));
        } else {
          first.changesTo(text).forEach(piece -> add(line, piece));
        }
        output.print(line);
      }
      output.out().println();
    }
    totals(answers).forEach(line -> output.out().println(output.styled(line)));
  }

  private static String facts(Answer answer) {
    return "  (%s%s)"
        .formatted(
            ShortNumber.count(answer.ids.length, "token"),
            answer.ended ? "" : ", cut by max_new_tokens");
  }

  /** Marks as those of wdiff, which stay readable without colours. */
  private static void add(StyledLine line, AnswerText.Piece piece) {
    String text = piece.text();
    String before = text.substring(0, text.length() - text.stripLeading().length());
    switch (piece.change()) {
      case SAME -> line.add(text);
      case REMOVED ->
          line.add(before).add(StyledLine.Ink.REJECTED, "[-" + text.stripLeading() + "-]");
      case ADDED -> line.add(before).add(StyledLine.Ink.CHOSEN, "{+" + text.stripLeading() + "+}");
    }
  }

  /** One line about each model. */
  private List<String> totals(List<List<Answer>> answers) {
    List<String> lines = new ArrayList<>();
    lines.add("%s, %s".formatted(ShortNumber.count(prompts.size(), "prompt"), sampling()));
    for (int model = 0; model < models.size(); model++) {
      List<Answer> of = answers.get(model);
      StringBuilder line = new StringBuilder();
      line.append(
          String.format(
              Locale.ROOT,
              "%s: %.1f tokens an answer, %.0f %% ended, repetition %.1f %%",
              models.get(model).name(),
              of.stream().mapToInt(answer -> answer.ids.length).average().orElse(0),
              100.0 * of.stream().filter(Answer::ended).count() / of.size(),
              100
                  * of.stream()
                      .mapToDouble(answer -> AnswerText.of(answer.text).repetition())
                      .average()
                      .orElse(0)));
      if (model > 0) {
        int same = 0;
        for (int i = 0; i < of.size(); i++) {
          same += of.get(i).text().equals(answers.get(0).get(i).text()) ? 1 : 0;
        }
        line.append(
            "; %d of %d answers as under %s".formatted(same, of.size(), models.get(0).name()));
        double ratio =
            of.stream()
                .mapToDouble(Answer::logRatio)
                .filter(Double::isFinite)
                .average()
                .orElse(Double.NaN);
        if (!Double.isNaN(ratio)) {
          line.append(
              "; log-ratio to it %s nats per token".formatted(ShortNumber.fixed("%+.3f", ratio)));
        }
      }
      lines.add(line.toString());
    }
    return lines;
  }

  private String sampling() {
    return config.temperature() == 0
        ? "greedy"
        : "temperature %s, seed %d".formatted(ShortNumber.of(config.temperature()), config.seed());
  }

  private Map<String, Object> line(int prompt, List<List<Answer>> answers) {
    Map<String, Object> line = new LinkedHashMap<>();
    line.put("prompt", prompts.get(prompt).json());
    List<Map<String, Object>> all = new ArrayList<>();
    for (int model = 0; model < models.size(); model++) {
      Answer answer = answers.get(model).get(prompt);
      Map<String, Object> one = new LinkedHashMap<>();
      one.put("model", models.get(model).name().toString());
      one.put("text", answer.text());
      one.put("tokens", answer.ids().length);
      one.put("ended", answer.ended());
      one.put("repetition", AnswerText.of(answer.text()).repetition());
      one.put("logprob", answer.logProb());
      if (!Double.isNaN(answer.underFirst())) {
        one.put("logprob_under_first", answer.underFirst());
      }
      all.add(one);
    }
    line.put("answers", all);
    return line;
  }
}
