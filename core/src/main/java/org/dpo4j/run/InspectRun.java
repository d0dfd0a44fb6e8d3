package org.dpo4j.run;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Collectors;
import org.dpo4j.OptionText;
import org.dpo4j.config.DataInputs;
import org.dpo4j.config.InspectConfig;
import org.dpo4j.data.DataInput;
import org.dpo4j.encode.EncodedPair;
import org.dpo4j.encode.EncodedRow;
import org.dpo4j.encode.EncodingLimits;
import org.dpo4j.encode.EncodingResources;
import org.dpo4j.encode.PairDataset;
import org.dpo4j.encode.PairEncoder;
import org.dpo4j.report.RunOutput;
import org.dpo4j.report.SafeText;
import org.dpo4j.tokenizer.ModelTokenizer;
import org.dpo4j.tokenizer.TextTokenizer;
import org.dpo4j.weights.HuggingFaceConfig;
import org.dpo4j.weights.ModelFolder;

/** Shows how rows are encoded: tokens, boundary, truncation, and why rows are dropped. */
public final class InspectRun {

  private final TextTokenizer tokenizer;
  private final RunOutput output;
  private final int rows;
  private int shown;

  private InspectRun(TextTokenizer tokenizer, RunOutput output, int rows) {
    this.tokenizer = tokenizer;
    this.output = output;
    this.rows = rows;
  }

  /** Writes one JSON line per row, or prints the first rows for reading. */
  public static void run(InspectConfig config, RunOutput output) {
    config.checkInputs();
    DataInput input = config.input();
    ModelFolder folder = ModelFolder.of("model", config.model());
    HuggingFaceConfig model = folder.config();
    try (ModelTokenizer tokenizer = ModelBundle.tokenizer(folder.path(), output)) {
      PairEncoder encoder =
          PairEncoder.of(
              tokenizer,
              new EncodingLimits(
                  config.maxLength(),
                  positions(model),
                  model.positiveInt("vocab_size", Integer.MAX_VALUE)));
      boolean shown = config.output().isEmpty();
      InspectRun inspection = new InspectRun(tokenizer.text(), output, config.rows());
      PairDataset.ReadSummary summary =
          shown
              ? PairDataset.forEachRow(
                  input, encoder, config.onBadRow(), EncodingResources.threads(0), inspection::show)
              : write(config, input, config.output().get(), encoder, output);
      if (shown) {
        DatasetSummary.lines(input, summary).forEach(line -> inspection.line("%s", line));
        if (inspection.shown < summary.counts().pairs()) {
          inspection.line(
              "the first %d of %d pairs are shown; {rows} 0 shows all",
              inspection.shown, summary.counts().pairs());
        }
      }
      DatasetSummary.warn(output, input, summary, tokenizer.template() != null);
    }
  }

  /** Only the tokenizer is used here, so the folder of any family will do. */
  private static int positions(HuggingFaceConfig model) {
    return model.positiveInt(
        "max_position_embeddings", model.positiveInt("n_positions", Integer.MAX_VALUE));
  }

  private static PairDataset.ReadSummary write(
      InspectConfig config, DataInput input, Path target, PairEncoder encoder, RunOutput output) {
    List<Path> inputs = new ArrayList<>(DataInputs.inputs(input));
    inputs.add(config.model());
    try (RowWriter writer = RowWriter.open(target, inputs, output)) {
      PairDataset.ReadSummary summary =
          PairDataset.forEachRow(
              input,
              encoder,
              config.onBadRow(),
              EncodingResources.threads(0),
              row -> writer.write(values(row, writer.start(row, input), output)));
      writer.publish();
      writer.say(DatasetSummary.lines(input, summary));
      return summary;
    }
  }

  private static Map<String, Object> values(
      EncodedRow row, Map<String, Object> values, RunOutput output) {
    row.weight().ifPresent(weight -> values.put("weight", weight));
    Optional<EncodedPair> pair = row.usable();
    if (pair.isPresent()) {
      values.put("prompt_ids", pair.get().promptIds());
      values.put("chosen_ids", pair.get().chosenIds());
      values.put("rejected_ids", pair.get().rejectedIds());
    }
    values.put("prompt_text", row.texts().prompt());
    values.put("chosen_text", row.texts().chosen());
    values.put("rejected_text", row.texts().rejected());
    values.put("warnings", row.warnings().stream().map(output::styled).toList());
    values.put("notes", row.notes().stream().map(output::styled).toList());
    return values;
  }

  private void show(EncodedRow row) {
    if (rows > 0 && shown >= rows) {
      return;
    }
    shown++;
    line(
        "%s row %d: %s%s%s",
        row.origin(),
        row.origin().row(),
        row.status(),
        row.reason().isEmpty() ? "" : ", " + row.reason(),
        row.weight().isPresent() ? ", weight " + row.weight().getAsDouble() : "");
    Optional<EncodedPair> pair = row.usable();
    if (pair.isPresent()) {
      side("prompt", pair.get().promptIds(), row.uncut().prompt());
      side("chosen", pair.get().chosenIds(), row.uncut().chosen());
      side("rejected", pair.get().rejectedIds(), row.uncut().rejected());
    } else if (row.uncut().prompt() > 0) {
      line(
          "  prompt %d ids, chosen %d, rejected %d",
          row.uncut().prompt(), row.uncut().chosen(), row.uncut().rejected());
    }
    if (!row.unmatchedPromptIds().isEmpty()) {
      line(
          "  note: the prompt alone ends in other tokens (%s); the boundary is before them",
          tokens(row.unmatchedPromptIds().stream().mapToInt(Integer::intValue).toArray()));
    }
    row.warnings().forEach(warning -> line("  warning: %s", warning));
    row.notes().forEach(note -> line("  note: %s", note));
    line("");
  }

  private void side(String name, int[] ids, int uncut) {
    String cut = ids.length == uncut ? "" : "│ ... " + (uncut - ids.length) + " ids cut";
    line("  %-8s %4d ids  %s%s", name, ids.length, tokens(ids), cut);
  }

  /** Token by token, with line breaks, tabs and what is invisible escaped. */
  private String tokens(int[] ids) {
    return Arrays.stream(ids)
        .mapToObj(id -> tokenizer.decode(new int[] {id}))
        .map(text -> SafeText.line(text.replace("\\", "\\\\").replace("\t", "\\t")))
        .collect(Collectors.joining("│"));
  }

  private void line(String format, Object... values) {
    output.out().println(output.styled(OptionText.of(format, values)));
  }
}
