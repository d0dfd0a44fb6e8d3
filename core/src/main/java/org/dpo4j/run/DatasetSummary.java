package org.dpo4j.run;

import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import org.dpo4j.OptionText;
import org.dpo4j.data.DataEntry;
import org.dpo4j.data.DataFile;
import org.dpo4j.data.DataInput;
import org.dpo4j.data.RowForm;
import org.dpo4j.data.RowFormat;
import org.dpo4j.data.ShortList;
import org.dpo4j.encode.EncodingCounts;
import org.dpo4j.encode.ExampleDataset;
import org.dpo4j.encode.Overlap;
import org.dpo4j.report.RunOutput;
import org.dpo4j.report.ShortNumber;

/** Describes the data that was read. */
final class DatasetSummary {
  private static final int MOST_FILES = 12;

  private DatasetSummary() {}

  /**
   * The files with their formats and the counts of rows, followed by notes.
   *
   * @param told notes already printed for other files of the run
   */
  static List<String> lines(DataInput input, ExampleDataset data, Set<String> told) {
    List<String> lines = lines(input, data.readSummary(), told);
    if (!data.unused().isEmpty()) {
      String examples = data.counts().noun() + "s";
      data.unused()
          .forEach((reason, count) -> lines.add("  %s %s: %d".formatted(examples, reason, count)));
      if (input.entries().size() > 1) {
        for (DataEntry entry : input.entries()) {
          lines.add("  %s from %s: %d".formatted(examples, entry.path(), data.from(entry)));
        }
      }
    }
    if (data.packed()) {
      lines.add(
          "  packed: %s in %s"
              .formatted(
                  ShortNumber.count(data.examples().size(), data.counts().noun()),
                  ShortNumber.count(data.rows(), "pack")));
    }
    return lines;
  }

  /** As above, for files whose examples are not kept. */
  static List<String> lines(DataInput input, ExampleDataset.ReadSummary walk) {
    return lines(input, walk, Set.of());
  }

  private static List<String> lines(
      DataInput input, ExampleDataset.ReadSummary walk, Set<String> told) {
    List<String> lines = new ArrayList<>();
    lines.add(input + ": " + walk.counts().summary());
    for (DataEntry entry : input.entries()) {
      if (entry.files().size() > 1) {
        lines.add(
            "  files of %s: %s"
                .formatted(
                    entry.path(),
                    ShortList.of(
                        entry.files().stream()
                            .map(DataFile::path)
                            .map(path -> String.valueOf(path.getFileName()))
                            .toList(),
                        MOST_FILES)));
      }
      if (!entry.notRead().isEmpty()) {
        lines.add(
            "  not read in %s: %s"
                .formatted(entry.path(), ShortList.of(entry.notRead(), MOST_FILES)));
      }
    }
    if (!walk.description().isEmpty()) {
      lines.add("  rows: " + walk.description());
    }
    if (!input.columns().sources().isEmpty()) {
      lines.add("  columns: " + input.columns());
    }
    if (!walk.ignoredColumns().isEmpty()) {
      lines.add("  columns ignored: " + String.join(", ", walk.ignoredColumns()));
    }
    walk.counts()
        .notes()
        .forEach(
            (text, tally) -> {
              if (!told.contains(text)) {
                lines.add(
                    "  note: %s (%s)"
                        .formatted(text, ShortNumber.count(tally.rows(), walk.counts().noun())));
              }
            });
    return lines;
  }

  /**
   * Warns of properties of the rows that are rarely intended.
   *
   * @param template whether the model has a chat template
   */
  static void warn(
      RunOutput output, DataInput input, ExampleDataset.ReadSummary walk, boolean template) {
    EncodingCounts counts = walk.counts();
    if (template && input.format() == RowFormat.AUTO) {
      if (walk.forms().contains(RowForm.TEXT)) {
        output.warn(
            OptionText.of(
                "%s: the rows are plain text and are trained without the chat template, which generate"
                    + " puts around a prompt; pass {data_format} messages to train on a user's and"
                    + " an assistant's turn, or {data_format} text if the texts are meant as they"
                    + " are",
                input.paths()));
      }
      if (walk.forms().contains(RowForm.TRANSCRIPTS)) {
        output.warn(
            OptionText.of(
                "%s: the rows are Human/Assistant transcripts and are trained as plain text, without"
                    + " the chat template, which generate puts around a prompt; pass {data_format}"
                    + " hh to make conversations of them, or {data_format} text to keep them as they"
                    + " are",
                input.paths()));
      }
    }
    walk.lostColumns()
        .forEach(
            (column, first) ->
                output.warn(
                    column.equals("label")
                        ? OptionText.of(
                            "rows with the label false are imitated too, as in TRL (first %s); remove"
                                + " them, or train with {loss_type} kto",
                            first)
                        : "the column \"%s\" is filled but ignored, as in TRL (first %s); %s"
                            .formatted(column, first, advice(column, walk.forms()))));
    counts
        .warnings()
        .forEach(
            (text, tally) ->
                output.warn(
                    "%d of %d %ss: %s (first %s)"
                        .formatted(
                            tally.rows(), counts.kept(), counts.noun(), text, tally.first())));
  }

  private static String advice(String column, Set<RowForm> forms) {
    String name = column.startsWith("system") ? "system" : column;
    String mapping = name.equals(column) ? "" : OptionText.of(" {columns} ") + name + "=" + column;
    return forms.contains(RowForm.CONVERSATIONS)
        ? "write it into the turns of the prompt"
        : OptionText.of("pass {data_format} messages%s to put it before the prompt", mapping);
  }

  /** As above for all examples of a run, and for held-out ones that are also trained on. */
  static void warn(RunOutput output, TrainingExamples pairs, boolean template) {
    warn(output, pairs.files(), pairs.training().readSummary(), template);
    for (HeldOut held : pairs.heldOut()) {
      held.files().ifPresent(files -> warn(output, files, held.dataset().readSummary(), template));
      overlap(output, pairs.training(), held, pairs.bos());
    }
  }

  private static void overlap(RunOutput output, ExampleDataset training, HeldOut heldOut, int bos) {
    Overlap overlap = Overlap.of(training.examples(), heldOut.dataset().examples(), bos);
    String of = heldOut.name().isEmpty() ? "" : " of " + heldOut.name();
    String noun = heldOut.dataset().counts().noun();
    if (overlap.examples() > 0) {
      output.warn(
          OptionText.of(
              "%d of %d held-out %5$ss%6$s are also trained on (first %s, which is %s); the evaluation"
                  + " shows there what the model has memorized; leave them out of one of the files,"
                  + " or hold %5$ss out with {eval_split}",
              overlap.examples(), heldOut.size(), overlap.held(), overlap.trained(), noun, of));
    }
    if (overlap.prompts() > 0) {
      output.note(
          "%d of %d held-out %ss%s have a prompt that is trained on with other answers%s"
              .formatted(
                  overlap.prompts(),
                  heldOut.size(),
                  noun,
                  of,
                  overlap.examples() > 0
                      ? ""
                      : " (first %s, which is that of %s)"
                          .formatted(overlap.held(), overlap.trained())));
    }
  }
}
