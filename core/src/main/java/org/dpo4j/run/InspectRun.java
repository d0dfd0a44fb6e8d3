package org.dpo4j.run;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.function.Consumer;
import java.util.stream.Stream;
import org.dpo4j.DpoException;
import org.dpo4j.OptionText;
import org.dpo4j.UsageException;
import org.dpo4j.config.DataInputs;
import org.dpo4j.config.InspectConfig;
import org.dpo4j.data.DataInput;
import org.dpo4j.encode.EncodedExample;
import org.dpo4j.encode.EncodedRow;
import org.dpo4j.encode.EncodingCounts;
import org.dpo4j.encode.EncodingLimits;
import org.dpo4j.encode.EncodingResources;
import org.dpo4j.encode.ExampleDataset;
import org.dpo4j.encode.ExampleEncoder;
import org.dpo4j.report.RunOutput;
import org.dpo4j.report.ShortNumber;
import org.dpo4j.survey.DataSurvey;
import org.dpo4j.tokenizer.ModelTokenizer;
import org.dpo4j.tokenizer.TextTokenizer;
import org.dpo4j.weights.HuggingFaceConfig;
import org.dpo4j.weights.ModelFolder;

/**
 * Shows how rows are encoded: tokens, boundary, truncation, and why rows are dropped; and what they
 * are together: lengths, likeness, findings, and advice for training.
 */
public final class InspectRun {

  private final InspectConfig config;
  private final DataInput input;
  private final RunOutput output;
  private final DataSurvey survey;
  private int shown;
  private int chosen;

  private InspectRun(InspectConfig config, DataInput input, RunOutput output) {
    this.config = config;
    this.input = input;
    this.output = output;
    this.survey = new DataSurvey(input.kind());
  }

  /**
   * Writes one JSON line per row, or prints the first rows for reading; then the totals.
   *
   * @throws DpoException if a row is bad, or {@code strict} and anything is conspicuous
   */
  public static void run(InspectConfig config, RunOutput output) {
    config.checkInputs();
    DataInput input = config.input().readingWhatItIs();
    // Rows behind the one that is shown need not be read, unless files follow.
    boolean one = config.row().isPresent() && input.files() == 1;
    new InspectRun(config, one ? input.limited(config.row().get()) : input, output).run();
  }

  private void run() {
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
      ExampleDataset.ReadSummary summary =
          config.output().isPresent()
              ? write(config.output().get(), encoder)
              : show(encoder, tokenizer.text());
      requireRow(summary);
      config
          .reason()
          .filter(reason -> chosen == 0)
          .ifPresent(
              reason ->
                  output.note(
                      OptionText.of(
                          "{reason} %s fits none of the %s",
                          reason,
                          ShortNumber.count(summary.counts().pairs(), summary.counts().noun()))));
      if (config.row().isEmpty()) {
        DatasetSummary.warn(output, input, summary, tokenizer.template() != null);
        survey.findings().forEach(output::warn);
      }
      if (config.strict()) {
        requireNothing(summary.counts());
      }
    }
  }

  /** Only the tokenizer is used here, so the folder of any family will do. */
  private static int positions(HuggingFaceConfig model) {
    return model.positiveInt(
        "max_position_embeddings", model.positiveInt("n_positions", Integer.MAX_VALUE));
  }

  private ExampleDataset.ReadSummary read(ExampleEncoder encoder, Consumer<EncodedRow> action) {
    return ExampleDataset.forEachRow(
        input,
        encoder,
        config.onBadRow(),
        EncodingResources.threads(0),
        row -> {
          survey.add(row);
          if (isChosen(row)) {
            chosen++;
            action.accept(row);
          }
        });
  }

  /** Whether the row is one of those that the options ask for. */
  private boolean isChosen(EncodedRow row) {
    if (config.row().isPresent()) {
      return row.origin().row() == config.row().get();
    }
    if (config.reason().isEmpty()) {
      return true;
    }
    String reason = config.reason().get().toLowerCase(Locale.ROOT);
    if (reason.equals(InspectConfig.BAD)) {
      return row.isBad();
    }
    return row.status().toString().equals(reason)
        ? !row.isBad()
        : Stream.concat(Stream.of(row.reason()), row.warnings().stream())
            .anyMatch(text -> output.styled(text).toLowerCase(Locale.ROOT).contains(reason));
  }

  private ExampleDataset.ReadSummary show(ExampleEncoder encoder, TextTokenizer tokenizer) {
    RowView view = new RowView(tokenizer, output, input.kind(), config.row().isPresent());
    view.legend();
    ExampleDataset.ReadSummary summary =
        read(
            encoder,
            row -> {
              if (view.whole() || config.rows() == 0 || shown < config.rows()) {
                shown++;
                view.show(row);
              }
            });
    if (config.row().isEmpty()) {
      if (shown < chosen) {
        Prose.rows("", hint(summary.counts())).forEach(this::line);
        line("");
      }
      totals(summary).forEach(this::line);
    }
    return summary;
  }

  /** How to see what was not shown. */
  private String hint(EncodingCounts counts) {
    String rows =
        config.reason().isPresent()
            ? "%d of the %d %ss for this {reason}".formatted(shown, chosen, counts.noun())
            : "the first %d of %d %ss".formatted(shown, counts.pairs(), counts.noun());
    return OptionText.of(
        rows
            + (shown == 1 ? " is" : " are")
            + " shown; {rows} 0 shows all (for a pager such as less), {row} N shows one whole"
            + (config.reason().isPresent() ? "" : ", {reason} dropped those that are dropped"));
  }

  private void line(String text) {
    output.out().println(output.styled(text));
  }

  /** What became of the rows, what they are together, and what that advises. */
  private List<String> totals(ExampleDataset.ReadSummary summary) {
    List<String> lines = new ArrayList<>(DatasetSummary.lines(input, summary));
    lines.addAll(SurveyLines.of(survey, summary.counts().noun()));
    List<String> advice = TrainingAdvice.of(survey, input.kind(), config.model());
    if (!advice.isEmpty()) {
      lines.add("");
      lines.add("advice, from these %ss and this model:".formatted(summary.counts().noun()));
      advice.forEach(text -> lines.addAll(Prose.rows("  ", text)));
    }
    return lines;
  }

  private ExampleDataset.ReadSummary write(Path target, ExampleEncoder encoder) {
    List<Path> inputs = new ArrayList<>(DataInputs.inputs(input));
    inputs.add(config.model());
    config.template().chatTemplate().ifPresent(inputs::add);
    try (RowWriter writer = RowWriter.open(target, inputs, output)) {
      ExampleDataset.ReadSummary summary =
          read(encoder, row -> writer.write(values(row, writer.start(row, input))));
      writer.publish();
      writer.say(config.row().isPresent() ? List.of() : totals(summary));
      return summary;
    }
  }

  private Map<String, Object> values(EncodedRow row, Map<String, Object> values) {
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
    List<String> columns = RowView.columns(row.texts().completions().size());
    for (int i = 0; i < columns.size(); i++) {
      values.put(columns.get(i) + "_text", row.texts().completions().get(i));
    }
    values.put("warnings", row.warnings().stream().map(output::styled).toList());
    values.put("notes", row.notes().stream().map(output::styled).toList());
    return values;
  }

  private void requireRow(ExampleDataset.ReadSummary summary) {
    if (config.row().isPresent() && chosen == 0) {
      throw new UsageException(
          "row",
          "must be the number of a row",
          "was %d, and there are %s"
              .formatted(config.row().get(), ShortNumber.count(summary.counts().rows(), "row")),
          "rows count from 1 in each file");
    }
  }

  /** Everything that is cut, dropped or warned of, in one error. */
  private void requireNothing(EncodingCounts counts) {
    List<String> found = new ArrayList<>();
    if (counts.cut() > 0) {
      found.add("%d of %d %ss are cut".formatted(counts.cut(), counts.pairs(), counts.noun()));
    }
    counts.dropped().forEach((reason, tally) -> found.add(tally.rows() + " dropped: " + reason));
    counts.bad().forEach((reason, tally) -> found.add(tally.rows() + " bad: " + reason));
    output.warnings().forEach(warning -> found.add(warning.split("[;(]", 2)[0].strip()));
    if (!found.isEmpty()) {
      throw new DpoException(
          OptionText.of("{strict} allows no findings, and there are %s: ", found.size())
              + String.join("; ", found));
    }
  }
}
