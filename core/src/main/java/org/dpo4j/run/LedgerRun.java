package org.dpo4j.run;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.dpo4j.DpoException;
import org.dpo4j.OptionText;
import org.dpo4j.UsageException;
import org.dpo4j.config.LedgerConfig;
import org.dpo4j.config.TrainingConfig;
import org.dpo4j.data.PairTexts;
import org.dpo4j.data.RowOrigin;
import org.dpo4j.data.WholeRows;
import org.dpo4j.evaluate.PairHistory;
import org.dpo4j.evaluate.Suspicion.Suspect;
import org.dpo4j.report.Ledger;
import org.dpo4j.report.RunOutput;
import org.dpo4j.report.ShortNumber;
import org.jspecify.annotations.Nullable;

/** Shows what became of each pair of a run, and writes the rows without the suspicious ones. */
public final class LedgerRun {

  private static final int EXCERPT = 90;

  private final LedgerConfig config;
  private final RunOutput output;
  private final Ledger ledger;
  private final LedgerSummary summary;

  private LedgerRun(LedgerConfig config, RunOutput output, Ledger ledger) {
    this.config = config;
    this.output = output;
    this.ledger = ledger;
    this.summary = LedgerSummary.of(ledger, config.threshold());
  }

  /**
   * Reads the ledger of a run and prints, lists or writes what is asked for.
   *
   * @throws DpoException if it is damaged
   */
  public static void run(LedgerConfig config, RunOutput output) {
    config.checkInputs();
    LedgerRun run = new LedgerRun(config, output, Ledger.read(config.file()));
    boolean rowsOnly = config.output().filter(RowWriter::isStandardOutput).isPresent();
    run.print(new Prose(rowsOnly ? output.err() : output.out(), output));
    config.output().ifPresent(run::write);
    config.clean().ifPresent(run::clean);
  }

  private void print(Prose prose) {
    summary.lines().forEach(prose::print);
    if (!config.suspicious()) {
      prose.line("%s may be mislabelled; {suspicious} lists them", counted());
      return;
    }
    prose.print("");
    if (summary.suspects().isEmpty()) {
      prose.line(
          "no mean margin is %s sigmas or more below the median of its set",
          ShortNumber.of(config.threshold()));
      return;
    }
    prose.line(
        "%s may be mislabelled: a mean margin %s sigmas or more below the median of its set",
        counted(), ShortNumber.of(config.threshold()));
    List<Suspect> shown =
        summary.suspects().stream()
            .limit(config.rows() == 0 ? Integer.MAX_VALUE : config.rows())
            .toList();
    LedgerSummary.Texts texts = summary.texts(shown, trained());
    texts.remarks().forEach(output::warn);
    for (Suspect suspect : shown) {
      print(prose, suspect, texts.of().get(suspect.history().pair()));
    }
    if (shown.size() < summary.suspects().size()) {
      prose.line(
          "the first %d of %d %s shown; {rows} 0 shows all",
          shown.size(), summary.suspects().size(), shown.size() == 1 ? "is" : "are");
    }
    prose.print("");
    prose.wrapped(
        output.styled(
            OptionText.of(
                "Look at them before you leave them out: hard pairs stay behind too. {clean} FILE"
                    + " writes the training rows without them.")));
  }

  private String counted() {
    int training = (int) summary.suspects().stream().filter(summary::isTraining).count();
    int heldOut = summary.suspects().size() - training;
    return "%s%s"
        .formatted(
            ShortNumber.count(training, "training pair"),
            heldOut == 0 ? "" : " and " + ShortNumber.count(heldOut, "held-out pair"));
  }

  private void print(Prose prose, Suspect suspect, @Nullable PairTexts texts) {
    PairHistory history = suspect.history();
    prose.print(
        "%s%s  score %+.1f, margin %s, %s"
            .formatted(
                history.pair(),
                summary.isTraining(suspect) ? "" : " (held out)",
                suspect.score(),
                LedgerSummary.margins(history),
                ShortNumber.count(history.flips(), "change") + " of sign"));
    if (texts != null) {
      prose.print("    prompt    " + LedgerSummary.excerpt(texts.prompt(), EXCERPT));
      prose.print("    chosen    " + LedgerSummary.excerpt(texts.chosen(), EXCERPT));
      prose.print("    rejected  " + LedgerSummary.excerpt(texts.rejected(), EXCERPT));
    }
  }

  private Optional<TrainingConfig> trained() {
    Path folder = config.file().toAbsolutePath().getParent();
    return folder == null ? Optional.empty() : RecordedOptions.of(folder, output);
  }

  private void write(Path file) {
    try (RowWriter writer = RowWriter.open(file, List.of(config.file()), output)) {
      double losses = ledger.training().stream().mapToDouble(PairHistory::loss).sum();
      for (Suspect pair : summary.all()) {
        PairHistory history = pair.history();
        Map<String, Object> line = new LinkedHashMap<>();
        line.put("file", history.pair().file());
        line.put("row", history.pair().row());
        if (history.pair().rejectedIndex() > 0) {
          line.put("rejected", history.pair().rejectedIndex());
        }
        boolean training = summary.isTraining(pair);
        line.put("set", training ? "train" : "eval");
        line.put("score", pair.score());
        line.put("suspicious", pair.score() <= -config.threshold());
        line.put("steps", history.visits().stream().map(PairHistory.Visit::step).toList());
        line.put("margins", history.visits().stream().map(PairHistory.Visit::margin).toList());
        line.put("flips", history.flips());
        if (training) {
          line.put("mean_pull", history.meanPull());
          line.put("loss_share", history.loss() / losses);
        }
        writer.write(line);
      }
      writer.publish();
      writer.say(List.of());
    }
  }

  /** A row is left out if one of its pairs is suspicious. */
  private void clean(Path target) {
    Set<RowOrigin> bad = new HashSet<>();
    summary.suspects().stream()
        .filter(summary::isTraining)
        .map(suspect -> suspect.history().pair())
        .forEach(pair -> bad.add(new RowOrigin(pair.file(), 0, pair.row())));
    Set<Path> files = new LinkedHashSet<>();
    ledger.training().forEach(pair -> files.add(Path.of(pair.pair().file())));
    for (Path file : files) {
      if (!Files.isRegularFile(file)) {
        throw new UsageException(
            "clean",
            "needs the files of the pairs",
            "%s is not there".formatted(file),
            "run it in the folder in which the run was started");
      }
      requireSame(file);
    }
    List<Path> inputs = new ArrayList<>(files);
    inputs.add(config.file());
    try (RowWriter writer = RowWriter.open("clean", target, inputs, output)) {
      Counts counts = new Counts();
      Set<RowOrigin> found = new HashSet<>();
      for (Path file : files) {
        WholeRows.forEach(
            file,
            (origin, columns) -> {
              RowOrigin place = new RowOrigin(origin.file(), 0, origin.row());
              if (bad.contains(place)) {
                found.add(place);
              } else if (columns == null) {
                counts.unreadable++;
              } else {
                counts.kept++;
                writer.write(columns);
              }
            });
      }
      if (found.size() != bad.size()) {
        throw new DpoException(
            "%d of the %d rows to leave out are not in the files: the files have changed since the run, so nothing is written"
                .formatted(bad.size() - found.size(), bad.size()));
      }
      writer.publish();
      writer.say(
          List.of(
              "%s kept, %d left out%s"
                  .formatted(
                      ShortNumber.count(counts.kept, "row"),
                      bad.size() + counts.unreadable,
                      counts.unreadable == 0
                          ? ""
                          : ", of which %d cannot be read".formatted(counts.unreadable))));
    }
  }

  private static final class Counts {
    private int kept;
    private int unreadable;
  }

  /** In a changed file, the rows to leave out may be others now. */
  private void requireSame(Path file) {
    if (ledger.isChanged(file)) {
      throw new DpoException(
          "[%s] must be as the run read it but has changed since (its SHA-256 is another), so the rows to leave out may be others now; bring it back as it was, or train on it again"
              .formatted(file));
    }
    if (!ledger.files().containsKey(file.toString())) {
      output.note(
          "the ledger has no hash of %s, so a change of the file since the run is not noticed"
              .formatted(file));
    }
  }
}
