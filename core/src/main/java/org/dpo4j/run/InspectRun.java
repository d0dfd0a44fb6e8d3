package org.dpo4j.run;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.dpo4j.ExampleKind;
import org.dpo4j.OptionText;
import org.dpo4j.config.DataInputs;
import org.dpo4j.config.InspectConfig;
import org.dpo4j.data.DataInput;
import org.dpo4j.encode.EncodedCompletion;
import org.dpo4j.encode.EncodedExample;
import org.dpo4j.encode.EncodedRow;
import org.dpo4j.encode.EncodingLimits;
import org.dpo4j.encode.EncodingResources;
import org.dpo4j.encode.ExampleDataset;
import org.dpo4j.encode.ExampleEncoder;
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
  private final ExampleKind kind;
  private final int rows;
  private int shown;

  private InspectRun(TextTokenizer tokenizer, RunOutput output, ExampleKind kind, int rows) {
    this.tokenizer = tokenizer;
    this.output = output;
    this.kind = kind;
    this.rows = rows;
  }

  /** Writes one JSON line per row, or prints the first rows for reading. */
  public static void run(InspectConfig config, RunOutput output) {
    config.checkInputs();
    DataInput input = config.input().readingWhatItIs();
    ModelFolder folder = ModelFolder.of("model", config.model());
    HuggingFaceConfig model = folder.config().text();
    try (ModelTokenizer tokenizer =
        ModelBundle.tokenizer(folder.path(), config.template().replacing(), output)) {
      ExampleEncoder encoder =
          ExampleEncoder.of(
              tokenizer,
              new EncodingLimits(
                  config.maxLength(),
                  positions(model),
                  model.positiveInt("vocab_size", Integer.MAX_VALUE)));
      boolean shown = config.output().isEmpty();
      InspectRun inspection = new InspectRun(tokenizer.text(), output, input.kind(), config.rows());
      ExampleDataset.ReadSummary summary =
          shown
              ? ExampleDataset.forEachRow(
                  input, encoder, config.onBadRow(), EncodingResources.threads(0), inspection::show)
              : write(config, input, config.output().get(), encoder, output);
      if (shown) {
        DatasetSummary.lines(input, summary).forEach(line -> inspection.line("%s", line));
        if (inspection.shown < summary.counts().pairs()) {
          inspection.line(
              "the first %d of %d %ss are shown; {rows} 0 shows all",
              inspection.shown, summary.counts().pairs(), summary.counts().noun());
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

  private static ExampleDataset.ReadSummary write(
      InspectConfig config,
      DataInput input,
      Path target,
      ExampleEncoder encoder,
      RunOutput output) {
    List<Path> inputs = new ArrayList<>(DataInputs.inputs(input));
    inputs.add(config.model());
    config.template().chatTemplate().ifPresent(inputs::add);
    try (RowWriter writer = RowWriter.open(target, inputs, output)) {
      ExampleDataset.ReadSummary summary =
          ExampleDataset.forEachRow(
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
    row.numbers().weight().ifPresent(weight -> values.put("weight", weight));
    Optional<EncodedExample> pair = row.usable();
    if (pair.isPresent()) {
      values.put("prompt_ids", pair.get().promptIds());
      pair.get()
          .completions()
          .forEach(
              completion -> values.put(pair.get().column(completion) + "_ids", completion.ids()));
    }
    values.put("prompt_text", row.texts().prompt());
    List<String> columns = columns(row.texts().completions().size());
    for (int i = 0; i < columns.size(); i++) {
      values.put(columns.get(i) + "_text", row.texts().completions().get(i));
    }
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
        "%s row %d: %s%s%s%s",
        row.origin(),
        row.origin().row(),
        row.status(),
        row.reason().isEmpty() ? "" : ", " + row.reason(),
        kind == ExampleKind.LABELED
            ? row.usable().map(EncodedExample::isDesirable).map(", label %s"::formatted).orElse("")
            : "",
        row.numbers().weight().isPresent()
            ? ", weight " + row.numbers().weight().getAsDouble()
            : "");
    Optional<EncodedExample> pair = row.usable();
    if (pair.isPresent()) {
      side("prompt", pair.get().promptIds(), row.uncut().prompt());
      for (int i = 0; i < pair.get().completions().size(); i++) {
        EncodedCompletion completion = pair.get().completions().get(i);
        side(pair.get().column(completion), completion.ids(), row.uncut().completions().get(i));
      }
    } else if (row.uncut().prompt() > 0) {
      List<String> columns = columns(row.uncut().completions().size());
      line(
          "  prompt %d ids%s",
          row.uncut().prompt(),
          IntStream.range(0, columns.size())
              .mapToObj(i -> ", %s %d".formatted(columns.get(i), row.uncut().completions().get(i)))
              .collect(Collectors.joining()));
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

  private static List<String> columns(int completions) {
    return switch (completions) {
      case 0 -> List.of();
      case 1 -> List.of("completion");
      default -> List.of("chosen", "rejected");
    };
  }

  private void side(String name, int[] ids, int uncut) {
    String cut = ids.length == uncut ? "" : "│ ... " + (uncut - ids.length) + " ids cut";
    String aligned = kind == ExampleKind.PAIRS ? "%-8s" : "%-10s";
    line("  " + aligned + " %4d ids  %s%s", name, ids.length, tokens(ids), cut);
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
