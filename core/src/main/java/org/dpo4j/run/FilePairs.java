package org.dpo4j.run;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;
import org.dpo4j.ExampleKind;
import org.dpo4j.UsageException;
import org.dpo4j.config.DataInputs;
import org.dpo4j.config.EvalConfig;
import org.dpo4j.data.ColumnValues;
import org.dpo4j.data.DataInput;
import org.dpo4j.data.ExampleReader;
import org.dpo4j.data.RowOrigin;
import org.dpo4j.encode.EncodedRow;
import org.dpo4j.encode.EncodingResources;
import org.dpo4j.encode.ExampleDataset;
import org.dpo4j.evaluate.PairScore;
import org.dpo4j.evaluate.PromptClusters;
import org.dpo4j.evaluate.Slice;
import org.dpo4j.report.RunOutput;
import org.dpo4j.torch.Engine;

/** The pairs of data files. */
final class FilePairs implements EvaluationPairs {

  private final EvalConfig config;
  private final DataInput input;
  private final ColumnValues columns;
  private final RunOutput output;

  /** The cluster of each pair's prompt; found while the first model scores. */
  private final Map<RowOrigin, String> clusters = new HashMap<>();

  private final int rows;
  private boolean first = true;
  private RowOrigin last = new RowOrigin("", 0, 0);
  private int done;

  private FilePairs(EvalConfig config, DataInput input, RunOutput output) {
    this.config = config;
    this.input = input;
    this.output = output;
    this.columns = ColumnValues.read("slice_by", input, config.sliceBy().orElse(List.of()));
    this.rows = ExampleReader.count(input);
  }

  /**
   * Looks into the files.
   *
   * @throws UsageException if they hold no pairs, or a column is in no row
   */
  static FilePairs of(EvalConfig config, RunOutput output) {
    DataInput input = config.input().readingWhatItIs();
    if (input.kind() != ExampleKind.PAIRS) {
      throw new UsageException(
          "data_file",
          "must hold pairs of a chosen and a rejected completion",
          "%s does not".formatted(input.paths()),
          "score reads other rows");
    }
    return new FilePairs(config, input, output);
  }

  @Override
  public String name() {
    return input.paths();
  }

  @Override
  public List<Path> files() {
    return DataInputs.inputs(input);
  }

  @Override
  public Scored score(EvaluatedModel model) {
    done = 0;
    PromptClusters prompts = new PromptClusters();
    boolean clustering = first;
    first = false;
    try (Engine.Threads threads = Engine.use(config.threads());
        ModelScorer scorer = ModelScorer.open(config, model, output)) {
      ModelScorer.Result result =
          scorer.score(
              input,
              rows,
              EncodingResources.threads(config.threads()),
              row -> {
                if (clustering && row.usable().isPresent()) {
                  prompts.add(row.texts().prompt());
                }
                progress(row, model);
              });
      if (clustering) {
        List<String> names = prompts.names();
        IntStream.range(0, names.size())
            .forEach(i -> clusters.put(result.pairs().get(i).origin(), names.get(i)));
      }
      ExampleDataset.ReadSummary summary = result.summary();
      DatasetSummary.warn(output, input, summary, scorer.hasTemplate());
      return new Scored(
          result.pairs(),
          result.divergence(),
          summary.counts(),
          DatasetSummary.lines(input, summary));
    }
  }

  private void progress(EncodedRow row, EvaluatedModel model) {
    if (!row.origin().sameRow(last)) {
      last = row.origin();
      done++;
      String task = config.model().size() == 1 ? "eval" : "eval " + model.name().getFileName();
      output.progress().update(task, done, rows, "");
    }
  }

  @Override
  public List<Slice> slices(List<PairScore> pairs) {
    List<Slice> slices = new ArrayList<>();
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
}
