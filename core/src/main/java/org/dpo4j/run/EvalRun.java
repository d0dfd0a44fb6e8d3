package org.dpo4j.run;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Stream;
import org.dpo4j.DpoException;
import org.dpo4j.OptionText;
import org.dpo4j.config.EvalConfig;
import org.dpo4j.config.ReportConfig;
import org.dpo4j.data.FileFailure;
import org.dpo4j.encode.ExampleEncoder;
import org.dpo4j.evaluate.Evaluation;
import org.dpo4j.evaluate.ModelScores;
import org.dpo4j.evaluate.PairScore;
import org.dpo4j.evaluate.Slice;
import org.dpo4j.report.EvaluationJson;
import org.dpo4j.report.EvaluationText;
import org.dpo4j.report.LogFormat;
import org.dpo4j.report.RunOutput;

/** Measures models on pairs, and whether they differ. */
public final class EvalRun {

  private static final double USUAL_BETA = 0.1;

  private final EvalConfig config;
  private final EvaluationPairs source;

  /** What was read, in lines; tokenizers differ in what is too long. */
  private final Set<String> reading = new LinkedHashSet<>();

  private EvalRun(EvalConfig config, EvaluationPairs source) {
    this.config = config;
    this.source = source;
  }

  /** Scores the pairs under each model in turn, and prints and writes the figures. */
  public static void run(EvalConfig config, RunOutput output) {
    config.checkInputs();
    run(config, FilePairs.of(config, output), output);
  }

  /**
   * As above, on pairs from elsewhere.
   *
   * @param config its data is not read
   */
  public static void run(EvalConfig config, EvaluationPairs source, RunOutput output) {
    List<EvaluatedModel> models = models(config, output);
    EvalRun run = new EvalRun(config, source);
    if (config.output().isEmpty()) {
      run.print(Prose.of(output, LogFormat.TABLE), run.evaluate(models));
      return;
    }
    List<Path> inputs = inputs(models, source.files());
    try (RowWriter writer = RowWriter.open(config.output().get(), inputs, output)) {
      Evaluation evaluation = run.evaluate(models);
      writer.write(EvaluationJson.of(evaluation));
      writer.publish();
      run.print(writer.prose(), evaluation);
      writer.say(List.of());
    }
  }

  /**
   * All figures, as {@code output} gets them, and nothing printed but notes and warnings.
   *
   * @param config its data is not read
   */
  public static Map<String, Object> figures(
      EvalConfig config, EvaluationPairs source, RunOutput output) {
    return EvaluationJson.of(new EvalRun(config, source).evaluate(models(config, output)));
  }

  private static List<EvaluatedModel> models(EvalConfig config, RunOutput output) {
    List<EvaluatedModel> models =
        config.model().stream()
            .map(folder -> EvaluatedModel.of(folder, config.baseModel(), config.refModel(), output))
            .toList();
    models.stream()
        .filter(model -> model.referenceName().isEmpty())
        .forEach(
            model ->
                output.note(
                    OptionText.of(
                        "%s has no reference, so there are no rewards: pass the model that it was"
                            + " trained from as {ref_model}",
                        model.name())));
    return models;
  }

  private void print(Prose prose, Evaluation evaluation) {
    reading.forEach(prose::print);
    EvaluationText.lines(evaluation).forEach(prose::print);
    for (Evaluation.Difference difference : evaluation.differences()) {
      prose.print("");
      prose.wrapped(difference.sentences());
    }
  }

  /** The folder of a model may hold its evaluation, but not in place of one of its files. */
  private static List<Path> inputs(List<EvaluatedModel> models, List<Path> data) {
    Set<Path> folders = new LinkedHashSet<>();
    for (EvaluatedModel model : models) {
      folders.add(model.base());
      model.adapter().ifPresent(folders::add);
      model.reference().ifPresent(folders::add);
    }
    List<Path> inputs = new ArrayList<>(data);
    for (Path folder : folders) {
      try (Stream<Path> files = Files.list(folder)) {
        files.filter(file -> !file.endsWith(ReportConfig.EVALUATION)).forEach(inputs::add);
      } catch (IOException e) {
        throw new DpoException(
            "[%s] cannot be read: %s".formatted(folder, FileFailure.reason(e, folder)), e);
      }
    }
    return inputs;
  }

  private Evaluation evaluate(List<EvaluatedModel> models) {
    List<ModelScores> scores = new ArrayList<>();
    for (EvaluatedModel model : models) {
      scores.add(score(model));
    }
    List<ModelScores> common = ModelScores.common(scores);
    List<PairScore> pairs = common.get(0).pairs();
    if (pairs.isEmpty()) {
      throw new DpoException(
          "[%s] at least one pair must be usable under every model, but each can use others: their tokenizers or positions differ too much"
              .formatted(source.name()));
    }
    if (scores.stream().anyMatch(model -> model.pairs().size() > pairs.size())) {
      reading.add(
          "the models are compared on the %,d pairs that all of them can use"
              .formatted(pairs.size()));
    }
    List<Slice> slices = new ArrayList<>(Slice.byLength(pairs));
    slices.addAll(source.slices(pairs));
    return Evaluation.of(source.name(), common, slices);
  }

  private ModelScores score(EvaluatedModel model) {
    EvaluationPairs.Scored scored = source.score(model);
    if (scored.pairs().isEmpty()) {
      throw new DpoException(
          "[%s] at least one pair must be usable under %s but none is: %s%s"
              .formatted(
                  source.name(),
                  model.name(),
                  scored.counts().summary(),
                  scored.counts().dropped().containsKey(ExampleEncoder.PROMPT_TOO_LONG)
                      ? OptionText.of("; raise {max_length}")
                      : ""));
    }
    reading.addAll(scored.summaryLines()); // the same lines for the same tokenizer
    return new ModelScores(
        model.name().toString(),
        model.referenceName(),
        config.beta().or(model::beta).orElse(USUAL_BETA),
        scored.pairs(),
        scored.divergence());
  }
}
