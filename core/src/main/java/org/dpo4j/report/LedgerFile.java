package org.dpo4j.report;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;
import java.util.function.ToDoubleFunction;
import org.dpo4j.EvaluationReport;
import org.dpo4j.SavedCheckpoint;
import org.dpo4j.StepReport;
import org.dpo4j.TrainingControl;
import org.dpo4j.TrainingListener;
import org.dpo4j.TrainingResult;
import org.dpo4j.train.ExampleListener;
import org.dpo4j.train.ExampleNumbers;
import org.jspecify.annotations.Nullable;

/**
 * {@code ledger.jsonl}: the numbers of each pair in each step and evaluation, a line for each batch
 * and file of it, appended while the run lives. A pair takes 30 to 60 bytes each time.
 */
public final class LedgerFile implements ExampleListener, TrainingListener {

  /** The set of the pairs that are trained on; held-out sets have their name, or {@code eval}. */
  static final String TRAINING = "train";

  /** The field of a line with the hashes of files. */
  static final String FILES = "files";

  static final String HELD_OUT = "eval";
  private static final int MOST_WAITING = 1 << 20;
  private static final String HASHES = "{\"%s\":".formatted(FILES);

  private final StepLines lines;
  private final StringBuilder waiting = new StringBuilder();

  /**
   * A file that writes nothing before {@link #begin}.
   *
   * @param warn receives a message if a line cannot be written; training goes on without the file
   */
  public LedgerFile(Consumer<String> warn) {
    this.lines = new StepLines(warn);
  }

  /**
   * Starts the file.
   *
   * @param path replaced if it exists
   * @param step that a continued run starts from; lines of earlier steps are kept, since no
   *     checkpoint has them. 0 for a new run
   * @param hashes SHA-256 of the files of the pairs, by which a reader notices later changes; empty
   *     if there is no file
   */
  public void begin(Path path, int step, Map<String, String> hashes) {
    lines.begin(
        path,
        step,
        line -> line.startsWith(HASHES),
        hashes.isEmpty() ? List.of() : List.of(JsonFile.line(Map.of(FILES, hashes))));
  }

  @Override
  public void onStep(int step, double epoch, List<ExampleNumbers> examples) {
    add(step, epoch, TRAINING, examples);
  }

  @Override
  public void onEvaluation(int step, double epoch, String dataset, List<ExampleNumbers> examples) {
    add(step, epoch, dataset.isEmpty() ? HELD_OUT : dataset, examples);
  }

  private void add(int step, double epoch, String set, List<ExampleNumbers> examples) {
    if (!lines.isOpen()) {
      return;
    }
    Map<String, List<ExampleNumbers>> byFile = new LinkedHashMap<>();
    examples.forEach(
        example ->
            byFile
                .computeIfAbsent(example.origin().file(), name -> new ArrayList<>())
                .add(example));
    byFile.forEach(
        (name, pairs) -> {
          Map<String, Object> line = new LinkedHashMap<>();
          line.put("step", step);
          line.put("epoch", MetricNames.round(epoch, 4));
          line.put("set", set);
          line.put("file", name);
          line.put("rows", pairs.stream().map(pair -> pair.origin().row()).toList());
          if (pairs.stream().anyMatch(pair -> pair.origin().rejectedIndex() > 0)) {
            line.put(
                "rejected", pairs.stream().map(pair -> pair.origin().rejectedIndex()).toList());
          }
          line.put("margins", values(pairs, ExampleNumbers::margin));
          line.put("losses", values(pairs, ExampleNumbers::loss));
          if (!set.equals(TRAINING) && step == 0) { // they stay the same
            line.put("chosen_tokens", pairs.stream().map(ExampleNumbers::chosenTokens).toList());
            line.put(
                "rejected_tokens", pairs.stream().map(ExampleNumbers::rejectedTokens).toList());
          }
          if (set.equals(TRAINING)) {
            line.put("pulls", values(pairs, ExampleNumbers::pull));
          }
          waiting.append(JsonFile.line(line)).append('\n');
        });
    if (waiting.length() > MOST_WAITING) {
      flush();
    }
  }

  /** In 32 bits, as they were computed; a number that is not finite is null. */
  private static List<@Nullable Float> values(
      List<ExampleNumbers> pairs, ToDoubleFunction<ExampleNumbers> number) {
    List<@Nullable Float> values = new ArrayList<>();
    for (ExampleNumbers pair : pairs) {
      float value = (float) number.applyAsDouble(pair);
      values.add(Float.isFinite(value) ? value : null);
    }
    return values;
  }

  @Override
  public void onReport(StepReport report, TrainingControl control) {
    flush();
  }

  @Override
  public void onEvaluation(EvaluationReport report, TrainingControl control) {
    flush();
  }

  @Override
  public void onCheckpoint(SavedCheckpoint saved) {
    flush();
  }

  @Override
  public void onEnd(TrainingResult result) {
    flush();
  }

  @Override
  public void onFailure(Throwable failure) {
    flush();
  }

  private void flush() {
    if (lines.isOpen() && waiting.length() > 0) {
      lines.append(waiting);
      waiting.setLength(0);
    }
  }
}
