package org.dpo4j.run;

import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.Iterator;
import java.util.List;
import java.util.NoSuchElementException;
import java.util.Optional;
import org.dpo4j.OptionText;
import org.dpo4j.UsageException;
import org.dpo4j.config.BaseDtype;
import org.dpo4j.config.Devices;
import org.dpo4j.config.ScoreConfig;
import org.dpo4j.data.ExampleReader;
import org.dpo4j.data.Row;
import org.dpo4j.encode.EncodedExample;
import org.dpo4j.encode.EncodedRow;
import org.dpo4j.encode.ExampleEncoder;
import org.dpo4j.logprob.LogProbEngine;
import org.dpo4j.logprob.LogProbTable;
import org.dpo4j.model.CausalLm;
import org.dpo4j.model.WeightMemory;
import org.dpo4j.model.WeightStorage;
import org.dpo4j.report.RunOutput;
import org.dpo4j.torch.ComputeDevice;
import org.dpo4j.weights.LoadedModel;
import org.dpo4j.weights.ModelReader;
import org.jspecify.annotations.Nullable;

/**
 * The model of {@code score} with its reference: takes rows, returns them with log-probabilities
 * and rewards. Several threads may score at once, each with the number of threads that it set with
 * {@link org.dpo4j.torch.Engine#use}.
 */
public final class RowScorer implements AutoCloseable {
  private final ScoreConfig config;
  private final ModelBundle bundle;
  private final ExampleEncoder encoder;
  private final @Nullable LoadedModel reference;

  private RowScorer(
      ScoreConfig config,
      ModelBundle bundle,
      ExampleEncoder encoder,
      @Nullable LoadedModel reference) {
    this.config = config;
    this.bundle = bundle;
    this.encoder = encoder;
    this.reference = reference;
  }

  /**
   * Loads the models; the caller closes them.
   *
   * @param output receives warnings about tokenizer and adapter
   * @throws UsageException if options do not fit the models
   * @throws org.dpo4j.DpoException if a model cannot be read
   */
  public static RowScorer open(ScoreConfig config, RunOutput output) {
    ComputeDevice device = Devices.of(config.device());
    if (!device.isCpu() && config.baseDtype() == BaseDtype.INT8) {
      throw new UsageException(
          "base_dtype",
          "int8 is for the processor",
          OptionText.of("{device} is %s", device),
          "leave it out");
    }
    ModelBundle bundle =
        ModelBundle.open(
            config.model(),
            config.adapter(),
            config.template().replacing(),
            new WeightMemory(config.baseDtype().storage(), device),
            output);
    try {
      ExampleEncoder encoder = bundle.encoder(config.maxLength());
      Optional<Path> refModel = config.refModel();
      LoadedModel reference =
          refModel.isEmpty()
              ? null
              : ModelReader.open(
                  "ref_model", refModel.get(), new WeightMemory(WeightStorage.AS_STORED, device));
      return new RowScorer(config, bundle, encoder, reference);
    } catch (RuntimeException | Error e) {
      bundle.close();
      throw e;
    }
  }

  /** Encodes rows for these models. */
  ExampleEncoder encoder() {
    return encoder;
  }

  /** Whether the model has a chat template. */
  boolean hasTemplate() {
    return bundle.tokenizer().template() != null;
  }

  /**
   * Scores rows as they are asked for, in batches of {@code per_device_eval_batch_size} usable
   * examples; it holds the rows of one batch.
   *
   * @param rows read to their end, not closed
   * @return one result for each example of a row, in their order; its methods throw {@link
   *     org.dpo4j.data.BadRowException} at the first bad row, unless {@code on_bad_row} is skip
   */
  public Iterator<ScoredRow> score(ExampleReader rows) {
    return new Batches(rows);
  }

  /**
   * Scores rows together.
   *
   * @return one result for each, in their order
   */
  List<ScoredRow> score(List<EncodedRow> rows) {
    List<EncodedExample> examples = rows.stream().flatMap(row -> row.usable().stream()).toList();
    LogProbTable policy = table(bundle.model(), examples);
    LogProbTable frozen = reference == null ? null : table(reference.model(), examples);
    List<ScoredRow> scored = new ArrayList<>();
    int example = 0;
    for (EncodedRow row : rows) {
      if (row.usable().isPresent()) {
        scored.add(
            new ScoredRow(
                row,
                policy.of(example),
                frozen == null ? null : frozen.of(example),
                config.beta()));
        example++;
      } else {
        scored.add(new ScoredRow(row, new double[0], null, config.beta()));
      }
    }
    return scored;
  }

  private LogProbTable table(CausalLm model, List<EncodedExample> examples) {
    return LogProbTable.compute(
        LogProbEngine.cpu(), model, examples, config.perDeviceEvalBatchSize(), done -> {});
  }

  /** The rows of a reader, a batch at a time. */
  private final class Batches implements Iterator<ScoredRow> {
    private final ExampleReader rows;
    private final Deque<EncodedRow> encoded = new ArrayDeque<>();
    private final Deque<ScoredRow> scored = new ArrayDeque<>();

    Batches(ExampleReader rows) {
      this.rows = rows;
    }

    @Override
    public boolean hasNext() {
      if (scored.isEmpty()) {
        scored.addAll(score(batch()));
      }
      return !scored.isEmpty();
    }

    @Override
    public ScoredRow next() {
      if (!hasNext()) {
        throw new NoSuchElementException();
      }
      return scored.remove();
    }

    /** Rows up to the last usable one of a batch; those that cannot be used need not wait. */
    private List<EncodedRow> batch() {
      List<EncodedRow> batch = new ArrayList<>();
      int usable = 0;
      while (usable < config.perDeviceEvalBatchSize() && more()) {
        EncodedRow row = encoded.remove();
        batch.add(row);
        usable += row.usable().isPresent() ? 1 : 0;
        if (usable == 0) {
          break;
        }
      }
      return batch;
    }

    private boolean more() {
      while (encoded.isEmpty()) {
        Optional<Row> row = rows.next();
        if (row.isEmpty()) {
          return false;
        }
        encoded.addAll(EncodedRow.of(row.get(), encoder, config.onBadRow()));
      }
      return true;
    }
  }

  /** Frees the models. */
  @Override
  public void close() {
    if (reference != null) {
      reference.close();
    }
    bundle.close();
  }
}
