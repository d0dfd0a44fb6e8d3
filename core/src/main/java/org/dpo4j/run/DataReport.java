package org.dpo4j.run;

import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import org.dpo4j.data.DataEntry;
import org.dpo4j.data.DataFile;
import org.dpo4j.data.DataInput;
import org.dpo4j.encode.EncodingCounts;
import org.dpo4j.encode.PairDataset;

/** What was read, for people. */
final class DataReport {
  private DataReport() {}

  /** First the files with their formats and what became of the rows, then what else there is. */
  static List<String> lines(DataInput input, PairDataset.Walk walk) {
    return lines(input, walk.counts(), walk.description(), walk.ignoredColumns());
  }

  /** The same with the pairs of a data set, which may be some of those that the files hold. */
  static List<String> lines(DataInput input, PairDataset data) {
    List<String> lines = lines(input, data.counts(), data.description(), data.ignoredColumns());
    if (!data.unused().isEmpty()) {
      data.unused()
          .forEach((reason, pairs) -> lines.add("  pairs %s: %d".formatted(reason, pairs)));
      if (input.entries().size() > 1) {
        for (DataEntry entry : input.entries()) {
          lines.add("  pairs from %s: %d".formatted(entry.path(), data.from(entry)));
        }
      }
    }
    return lines;
  }

  private static List<String> lines(
      DataInput input, EncodingCounts counts, String description, Set<String> ignoredColumns) {
    List<String> lines = new ArrayList<>();
    lines.add(input + ": " + counts.summary());
    for (DataEntry entry : input.entries()) {
      if (entry.files().size() > 1) {
        lines.add(
            "  files of %s: %s"
                .formatted(
                    entry.path(),
                    DataEntry.shown(
                        entry.files().stream()
                            .map(DataFile::path)
                            .map(path -> String.valueOf(path.getFileName()))
                            .toList())));
      }
      if (!entry.notRead().isEmpty()) {
        lines.add("  not read in %s: %s".formatted(entry.path(), DataEntry.shown(entry.notRead())));
      }
    }
    if (!description.isEmpty()) {
      lines.add("  rows: " + description);
    }
    if (!input.columns().sources().isEmpty()) {
      lines.add("  columns: " + input.columns());
    }
    if (!ignoredColumns.isEmpty()) {
      lines.add("  columns ignored: " + String.join(", ", ignoredColumns));
    }
    return lines;
  }
}
