package org.dpo4j.run;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.dpo4j.DpoException;
import org.dpo4j.ExampleKind;
import org.dpo4j.OptionText;
import org.dpo4j.UsageException;
import org.dpo4j.config.DataInputs;
import org.dpo4j.config.Devices;
import org.dpo4j.config.EvalConfig;
import org.dpo4j.config.ReportConfig;
import org.dpo4j.data.ColumnValues;
import org.dpo4j.data.DataInput;
import org.dpo4j.data.ExampleReader;
import org.dpo4j.data.FileFailure;
import org.dpo4j.data.RowOrigin;
import org.dpo4j.encode.EncodedRow;
import org.dpo4j.encode.EncodingResources;
import org.dpo4j.encode.ExampleDataset;
import org.dpo4j.encode.ExampleEncoder;
import org.dpo4j.evaluate.Evaluation;
import org.dpo4j.evaluate.ModelScores;
import org.dpo4j.evaluate.PairScore;
import org.dpo4j.evaluate.PromptClusters;
import org.dpo4j.evaluate.Slice;
import org.dpo4j.model.CausalLm;
import org.dpo4j.model.WeightMemory;
import org.dpo4j.model.WeightStorage;
import org.dpo4j.report.EvaluationJson;
import org.dpo4j.report.EvaluationText;
import org.dpo4j.report.LogFormat;
import org.dpo4j.report.RunOutput;
import org.dpo4j.torch.Engine;
import org.dpo4j.weights.LoadedModel;
import org.dpo4j.weights.ModelReader;

/** Measures models on pairs, and whether they differ. */
public final class EvalRun {

  private static final double USUAL_BETA = 0.1;

  private final EvalConfig config;
  private final DataInput input;
  private final RunOutput output;

  /** The cluster of each pair's prompt; found while the first model scores. */
  private final Map<RowOrigin, String> clusters = new HashMap<>();

  /** What was read, in lines; tokenizers differ in what is too long. */
  private final Set<String> reading = new LinkedHashSet<>();

  private final int rows;
  private RowOrigin last = new RowOrigin("", 0, 0);
  private int done;

  private EvalRun(EvalConfig config, DataInput input, RunOutput output) {
    this.config = config;
    this.input = input;
    this.output = output;
    this.rows = ExampleReader.count(input);
  }

  /** Scores the pairs under each model in turn, and prints and writes the figures. */
  public static void run(EvalConfig config, RunOutput output) {
    config.checkInputs();
    DataInput input = config.input().readingWhatItIs();
    if (input.kind() != ExampleKind.PAIRS) {
      throw new UsageException(
          "data_file",
          "must hold pairs of a chosen and a rejected completion",
          "%s does not".formatted(input.paths()),
          "score reads other rows");
    }
    ColumnValues columns = ColumnValues.read("slice_by", input, config.sliceBy().orElse(List.of()));
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
    EvalRun run = new EvalRun(config, input, output);
    if (config.output().isEmpty()) {
      run.print(Prose.of(output, LogFormat.TABLE), run.evaluate(models, columns));
      return;
    }
    try (RowWriter writer = RowWriter.open(config.output().get(), inputs(models, input), output)) {
      Evaluation evaluation = run.evaluate(models, columns);
      writer.write(EvaluationJson.of(evaluation));
      writer.publish();
      run.print(writer.prose(), evaluation);
      writer.say(List.of());
    }
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
  private static List<Path> inputs(List<EvaluatedModel> models, DataInput input) {
    Set<Path> folders = new LinkedHashSet<>();
    for (EvaluatedModel model : models) {
      folders.add(model.base());
      model.adapter().ifPresent(folders::add);
      model.reference().ifPresent(folders::add);
    }
    List<Path> inputs = new ArrayList<>(DataInputs.inputs(input));
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

  private Evaluation evaluate(List<EvaluatedModel> models, ColumnValues columns) {
    List<ModelScores> scores = new ArrayList<>();
    try (Engine.Threads threads = Engine.use(config.threads())) {
      for (EvaluatedModel model : models) {
        scores.add(score(model));
      }
    }
    List<ModelScores> common = ModelScores.common(scores);
    List<PairScore> pairs = common.get(0).pairs();
    if (pairs.isEmpty()) {
      throw new DpoException(
          "[%s] at least one pair must be usable under every model, but each can use others: their tokenizers or positions differ too much"
              .formatted(input.paths()));
    }
    if (scores.stream().anyMatch(model -> model.pairs().size() > pairs.size())) {
      reading.add(
          "the models are compared on the %,d pairs that all of them can use"
              .formatted(pairs.size()));
    }
    return Evaluation.of(input.paths(), common, slices(pairs, columns));
  }

  private List<Slice> slices(List<PairScore> pairs, ColumnValues columns) {
    List<Slice> slices = new ArrayList<>(Slice.byLength(pairs));
    List<String> names = config.sliceBy().orElse(List.of());
    for (int i = 0; i < names.size(); i++) {
      int column = i;
      slices.addAll(
          Slice.by(
              names.get(i),
              pairs.stream().map(pair -> columns.at(pair.origin(), column)).toList()));
    }
    if (!clusters.isEmpty()) {
      slices.addAll(
          Slice.by(
              "prompts with", pairs.stream().map(pair -> clusters.get(pair.origin())).toList()));
    }
    return slices;
  }

  private ModelScores score(EvaluatedModel model) {
    WeightMemory memory = new WeightMemory(WeightStorage.AS_STORED, Devices.of(config.device()));
    try (ModelBundle inputs =
        ModelBundle.open(
            model.base(), model.adapter(), config.template().replacing(), memory, output)) {
      if (model.toBase()) {
        CausalLm base = inputs.adapter().orElseThrow().model().base();
        return score(model, inputs, Optional.of(base));
      }
      if (model.reference().isEmpty()) {
        return score(model, inputs, Optional.empty());
      }
      try (LoadedModel reference = ModelReader.open("ref_model", model.reference().get(), memory)) {
        References.requireSameIds(
            model.base(), inputs.model(), model.reference().get(), reference.model());
        return score(model, inputs, Optional.of(reference.model()));
      }
    }
  }

  private ModelScores score(
      EvaluatedModel model, ModelBundle inputs, Optional<CausalLm> reference) {
    done = 0;
    PairScorer scorer =
        new PairScorer(inputs.model(), reference.orElse(null), config.klTokens(), rows);
    PromptClusters prompts = new PromptClusters();
    boolean first = reading.isEmpty();
    ExampleDataset.ReadSummary summary =
        ExampleDataset.forEachRow(
            input,
            inputs.encoder(config.maxLength()),
            config.onBadRow(),
            EncodingResources.threads(config.threads()),
            row -> {
              if (first && row.usable().isPresent()) {
                prompts.add(row.texts().prompt());
              }
              row.usable().ifPresent(scorer::add);
              progress(row, model);
            });
    scorer.finish();
    if (scorer.pairs().isEmpty()) {
      throw new DpoException(
          "[%s] at least one pair must be usable under %s but none is: %s%s"
              .formatted(
                  input.paths(),
                  model.name(),
                  summary.counts().summary(),
                  summary.counts().dropped().containsKey(ExampleEncoder.PROMPT_TOO_LONG)
                      ? OptionText.of("; raise {max_length}")
                      : ""));
    }
    if (first) {
      List<String> names = prompts.names();
      IntStream.range(0, names.size())
          .forEach(i -> clusters.put(scorer.pairs().get(i).origin(), names.get(i)));
    }
    reading.addAll(DatasetSummary.lines(input, summary)); // the same lines for the same tokenizer
    DatasetSummary.warn(output, input, summary, inputs.tokenizer().template() != null);
    return new ModelScores(
        model.name().toString(),
        model.referenceName(),
        config.beta().or(model::beta).orElse(USUAL_BETA),
        scorer.pairs(),
        scorer.divergence());
  }

  private void progress(EncodedRow row, EvaluatedModel model) {
    if (!row.origin().sameRow(last)) {
      last = row.origin();
      done++;
      String task = config.model().size() == 1 ? "eval" : "eval " + model.name().getFileName();
      output.progress().update(task, done, rows, "");
    }
  }
}
