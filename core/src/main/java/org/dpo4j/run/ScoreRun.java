package org.dpo4j.run;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.dpo4j.config.DataInputs;
import org.dpo4j.config.ScoreConfig;
import org.dpo4j.data.DataInput;
import org.dpo4j.encode.EncodedRow;
import org.dpo4j.encode.EncodingResources;
import org.dpo4j.encode.ExampleDataset;
import org.dpo4j.report.RunOutput;
import org.dpo4j.torch.Engine;

/** Writes log-probabilities and, with a reference, rewards: one JSON line per row. */
public final class ScoreRun {

  private final ScoreConfig config;
  private final DataInput input;
  private final RowScorer scorer;
  private final RowWriter writer;
  private final List<EncodedRow> waiting = new ArrayList<>();
  private final ScoreSummary summary;
  private int usable;

  private ScoreRun(ScoreConfig config, DataInput input, RowScorer scorer, RowWriter writer) {
    this.config = config;
    this.input = input;
    this.scorer = scorer;
    this.writer = writer;
    this.summary = new ScoreSummary(config.refModel().isPresent(), input.kind());
  }

  /** Scores; the output file appears when it is complete. */
  public static void run(ScoreConfig config, RunOutput output) {
    config.checkInputs();
    DataInput input = config.input().readingWhatItIs();
    try (Engine.Threads threads = Engine.use(config.threads());
        RowScorer scorer = RowScorer.open(config, output);
        RowWriter writer = RowWriter.open(config.output(), inputs(config, input), output)) {
      ScoreRun run = new ScoreRun(config, input, scorer, writer);
      ExampleDataset.ReadSummary read = run.score();
      writer.publish();
      List<String> lines = new ArrayList<>(DatasetSummary.lines(input, read));
      lines.addAll(run.summary.lines());
      writer.say(lines);
      DatasetSummary.warn(output, input, read, scorer.hasTemplate());
    }
  }

  private static List<Path> inputs(ScoreConfig config, DataInput input) {
    List<Path> inputs = new ArrayList<>(DataInputs.inputs(input));
    inputs.add(config.model());
    config.refModel().ifPresent(inputs::add);
    config.adapter().ifPresent(inputs::add);
    return inputs;
  }

  private ExampleDataset.ReadSummary score() {
    ExampleDataset.ReadSummary read =
        ExampleDataset.forEachRow(
            input,
            scorer.encoder(),
            config.onBadRow(),
            EncodingResources.threads(config.threads()),
            this::take);
    flush();
    return read;
  }

  private void take(EncodedRow row) {
    waiting.add(row);
    usable += row.usable().isPresent() ? 1 : 0;
    if (usable >= config.perDeviceEvalBatchSize()) {
      flush();
    }
  }

  private void flush() {
    for (ScoredRow scored : scorer.score(waiting)) {
      Map<String, Object> values = writer.start(scored.row(), input);
      values.putAll(scored.columns());
      scored.addTo(summary);
      writer.write(values);
    }
    waiting.clear();
    usable = 0;
  }
}
