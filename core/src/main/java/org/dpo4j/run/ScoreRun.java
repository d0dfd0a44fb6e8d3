package org.dpo4j.run;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.dpo4j.OptionText;
import org.dpo4j.UsageException;
import org.dpo4j.config.BaseDtype;
import org.dpo4j.config.DataInputs;
import org.dpo4j.config.Devices;
import org.dpo4j.config.ScoreConfig;
import org.dpo4j.data.DataInput;
import org.dpo4j.encode.EncodedExample;
import org.dpo4j.encode.EncodedRow;
import org.dpo4j.encode.EncodingResources;
import org.dpo4j.encode.ExampleDataset;
import org.dpo4j.encode.ExampleEncoder;
import org.dpo4j.logprob.LogProbEngine;
import org.dpo4j.logprob.LogProbTable;
import org.dpo4j.logprob.PairLogProbs;
import org.dpo4j.model.CausalLm;
import org.dpo4j.model.WeightMemory;
import org.dpo4j.model.WeightStorage;
import org.dpo4j.report.RunOutput;
import org.dpo4j.torch.ComputeDevice;
import org.dpo4j.torch.Engine;
import org.dpo4j.weights.LoadedModel;
import org.dpo4j.weights.ModelReader;
import org.jspecify.annotations.Nullable;

/** Writes log-probabilities and, with a reference, rewards: one JSON line per row. */
public final class ScoreRun {

  private final ScoreConfig config;
  private final DataInput input;
  private final CausalLm model;
  private final @Nullable CausalLm reference;
  private final RowWriter writer;
  private final List<EncodedRow> waiting = new ArrayList<>();
  private final ScoreSummary summary;

  private ScoreRun(
      ScoreConfig config,
      DataInput input,
      CausalLm model,
      @Nullable CausalLm reference,
      RowWriter writer) {
    this.config = config;
    this.input = input;
    this.model = model;
    this.reference = reference;
    this.writer = writer;
    this.summary = new ScoreSummary(reference != null, input.kind());
  }

  /** Scores; the output file appears when it is complete. */
  public static void run(ScoreConfig config, RunOutput output) {
    config.checkInputs();
    DataInput input = config.input().readingWhatItIs();
    ComputeDevice device = Devices.of(config.device());
    if (!device.isCpu() && config.baseDtype() == BaseDtype.INT8) {
      throw new UsageException(
          "base_dtype",
          "int8 is for the processor",
          OptionText.of("{device} is %s", device),
          "leave it out");
    }
    try (Engine.Threads threads = Engine.use(config.threads());
        ModelBundle inputs =
            ModelBundle.open(
                config.model(),
                config.adapter(),
                config.template().replacing(),
                new WeightMemory(config.baseDtype().storage(), device),
                output);
        RowWriter writer = RowWriter.open(config.output(), inputs(config, input), output)) {
      ExampleEncoder encoder = inputs.encoder(config.maxLength());
      Optional<Path> refModel = config.refModel();
      ExampleDataset.ReadSummary summary;
      ScoreRun run;
      if (refModel.isEmpty()) {
        run = new ScoreRun(config, input, inputs.model(), null, writer);
        summary = run.score(encoder);
      } else {
        try (LoadedModel reference =
            ModelReader.open(
                "ref_model", refModel.get(), new WeightMemory(WeightStorage.AS_STORED, device))) {
          run = new ScoreRun(config, input, inputs.model(), reference.model(), writer);
          summary = run.score(encoder);
        }
      }
      writer.publish();
      List<String> lines = new ArrayList<>(DatasetSummary.lines(input, summary));
      lines.addAll(run.summary.lines());
      writer.say(lines);
      DatasetSummary.warn(output, input, summary, inputs.tokenizer().template() != null);
    }
  }

  private static List<Path> inputs(ScoreConfig config, DataInput input) {
    List<Path> inputs = new ArrayList<>(DataInputs.inputs(input));
    inputs.add(config.model());
    config.refModel().ifPresent(inputs::add);
    config.adapter().ifPresent(inputs::add);
    return inputs;
  }

  private ExampleDataset.ReadSummary score(ExampleEncoder encoder) {
    ExampleDataset.ReadSummary summary =
        ExampleDataset.forEachRow(
            input,
            encoder,
            config.onBadRow(),
            EncodingResources.threads(config.threads()),
            this::take);
    flush();
    return summary;
  }

  private void take(EncodedRow row) {
    waiting.add(row);
    if (usable().size() >= config.perDeviceEvalBatchSize()) {
      flush();
    }
  }

  private List<EncodedExample> usable() {
    return waiting.stream().flatMap(row -> row.usable().stream()).toList();
  }

  private void flush() {
    List<EncodedExample> pairs = usable();
    int batch = config.perDeviceEvalBatchSize();
    LogProbTable policy =
        LogProbTable.compute(LogProbEngine.cpu(), model, pairs, batch, done -> {});
    @Nullable LogProbTable frozen =
        reference == null
            ? null
            : LogProbTable.compute(LogProbEngine.cpu(), reference, pairs, batch, done -> {});
    int pair = 0;
    for (EncodedRow row : waiting) {
      Map<String, Object> values = writer.start(row, input);
      if (row.usable().isPresent()) {
        EncodedExample example = row.usable().get();
        if (example.isPair()) {
          double margin = scores(values, example, policy, frozen, pair);
          double size = Math.max(Math.abs(policy.chosen(pair)), Math.abs(policy.rejected(pair)));
          double scale = frozen == null ? 1 : config.beta();
          summary.add(row.origin(), margin, scale * PairLogProbs.ROUNDING * size);
        } else {
          completionScores(values, example, policy, frozen, pair);
        }
        pair++;
      }
      writer.write(values);
    }
    waiting.clear();
  }

  /** Adds the scores of a single completion. */
  private void completionScores(
      Map<String, Object> values,
      EncodedExample example,
      LogProbTable policy,
      @Nullable LogProbTable frozen,
      int i) {
    double logProb = policy.at(i, 0);
    double value = logProb;
    values.put("logps", logProb);
    values.put("tokens", example.completions().get(0).ids().length);
    if (frozen != null) {
      value = config.beta() * (logProb - frozen.at(i, 0));
      values.put("ref_logps", frozen.at(i, 0));
      values.put("rewards", value);
    }
    boolean desirable = example.isDesirable();
    summary.add(desirable, value, example.scoredTokens());
  }

  /** Adds the scores of a pair and returns its margin. */
  private double scores(
      Map<String, Object> values,
      EncodedExample pair,
      LogProbTable policy,
      @Nullable LogProbTable frozen,
      int i) {
    values.put("chosen_logps", policy.chosen(i));
    values.put("rejected_logps", policy.rejected(i));
    values.put("chosen_tokens", pair.chosenIds().length);
    values.put("rejected_tokens", pair.rejectedIds().length);
    if (frozen != null) {
      double chosen = config.beta() * (policy.chosen(i) - frozen.chosen(i));
      double rejected = config.beta() * (policy.rejected(i) - frozen.rejected(i));
      values.put("ref_chosen_logps", frozen.chosen(i));
      values.put("ref_rejected_logps", frozen.rejected(i));
      values.put("rewards/chosen", chosen);
      values.put("rewards/rejected", rejected);
      values.put("rewards/margins", chosen - rejected);
      return chosen - rejected;
    }
    return policy.margin(i);
  }
}
