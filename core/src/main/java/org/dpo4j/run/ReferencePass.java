package org.dpo4j.run;

import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.Iterator;
import java.util.List;
import java.util.NoSuchElementException;
import java.util.Optional;
import java.util.stream.IntStream;
import org.dpo4j.DpoException;
import org.dpo4j.ExampleKind;
import org.dpo4j.OptionText;
import org.dpo4j.UsageException;
import org.dpo4j.batch.TokenBudget;
import org.dpo4j.config.CacheFolder;
import org.dpo4j.config.DataInputs;
import org.dpo4j.config.ReferenceChoice;
import org.dpo4j.config.TrainingConfig;
import org.dpo4j.data.DataInput;
import org.dpo4j.data.ExampleReader;
import org.dpo4j.data.FileFailure;
import org.dpo4j.data.Row;
import org.dpo4j.encode.EncodedExample;
import org.dpo4j.encode.EncodedRow;
import org.dpo4j.encode.EncodingLimits;
import org.dpo4j.encode.ExampleEncoder;
import org.dpo4j.logprob.LogProbTable;
import org.dpo4j.model.CausalLm;
import org.dpo4j.options.OptionType;
import org.dpo4j.reference.ReferenceCache;
import org.dpo4j.reference.ReferenceFiles;
import org.dpo4j.reference.ReferenceKey;
import org.dpo4j.report.RunOutput;
import org.dpo4j.tokenizer.ModelTokenizer;
import org.dpo4j.tokenizer.TextReplacement;
import org.dpo4j.weights.LoadedModel;
import org.dpo4j.weights.ModelBlueprint;

/**
 * The reference pass of a training run on pairs, in parts that several machines can do: rows become
 * examples, batches of neighbouring examples become log-probabilities, and all of these the file of
 * the cache that {@code train} reads with the same options.
 *
 * <p>The file has the bytes of the one that {@code train} writes if the batches are those of {@link
 * #BATCHES} over all examples, computed with as many threads.
 */
public final class ReferencePass {

  /** How the examples are cut into batches. */
  public static final TokenBudget BATCHES = TokenBudget.DEFAULT;

  private final TrainingConfig config;
  private final ReferenceCache cache;

  /**
   * @throws UsageException if the run has no frozen reference of pairs, keeps none, or its examples
   *     depend on more than the rows in their order
   */
  public ReferencePass(TrainingConfig config) {
    this.config = config;
    if (config.loss().referenceChoice() == ReferenceChoice.NONE) {
      throw new UsageException(
          "reference",
          "must not be none where its log-probabilities are computed",
          config.loss().reference().isPresent()
              ? ""
              : OptionText.of(
                  "{loss_type} %s needs none", OptionType.text(config.loss().lossType())),
          "train without this pass");
    }
    if (config.loss().examples() != ExampleKind.PAIRS) {
      throw new UsageException(
          "loss_type",
          "must be one on pairs, whose examples are their rows",
          "was " + OptionType.text(config.loss().lossType()),
          "let train compute this reference");
    }
    refuse(config.loss().syncRefModel(), "sync_ref_model", "moves the reference");
    refuse(config.data().evalSplit().isPresent(), "eval_split", "reorders the pairs");
    refuse(config.data().dataWeights().isPresent(), "data_weights", "selects pairs");
    refuse(config.data().maxSamples() > 0, "max_samples", "selects pairs");
    this.cache =
        CacheFolder.of(config)
            .map(ReferenceCache::new)
            .orElseThrow(
                () ->
                    new UsageException(
                        "reference_cache",
                        "must be a folder that keeps the result",
                        "is off",
                        "name a folder"));
  }

  private static void refuse(boolean given, String option, String what) {
    if (given) {
      throw new UsageException(
          option,
          what + ", and this pass needs them fixed and in the order of the rows,",
          "",
          "leave it out, or let train compute this reference");
    }
  }

  /** The rows as this run reads them. */
  public DataInput reading(DataInput rows) {
    return rows.named(DataInputs.columns(config.data().columns()), config.data().dataFormat())
        .reading(config.loss().examples(), config.loss().usesMargins());
  }

  /**
   * Opens what encodes rows: the tokenizer of the model, without its weights.
   *
   * @param output receives warnings about the tokenizer
   */
  public Encoding openEncoding(RunOutput output) {
    Path folder = config.model().model();
    ModelBlueprint model = ModelBlueprint.read("model", folder);
    int maxLength = config.data().maxLength();
    ModelBundle.requirePositions(maxLength, model.maxPositions());
    ModelTokenizer tokenizer = ModelBundle.tokenizer(folder, text(), output);
    EncodingLimits limits =
        new EncodingLimits(maxLength, model.maxPositions(), model.shape().vocabSize());
    return new Encoding(
        tokenizer, TrainingExamples.encoder(config, ExampleEncoder.of(tokenizer, limits)));
  }

  private TextReplacement text() {
    return ProgramInputs.NONE.text(config);
  }

  /** Turns rows into examples. Safe for use by several threads. */
  public final class Encoding implements AutoCloseable {
    private final ModelTokenizer tokenizer;
    private final ExampleEncoder encoder;

    private Encoding(ModelTokenizer tokenizer, ExampleEncoder encoder) {
      this.tokenizer = tokenizer;
      this.encoder = encoder;
    }

    /**
     * The usable examples of the rows, read as they are asked for.
     *
     * @param rows {@linkplain #reading as this run reads them}; not closed
     * @return throws {@link org.dpo4j.data.BadRowException} at the first bad row, unless {@code
     *     on_bad_row} is skip
     */
    public Iterator<EncodedExample> examples(ExampleReader rows) {
      return new Iterator<>() {
        private final Deque<EncodedExample> encoded = new ArrayDeque<>();

        @Override
        public boolean hasNext() {
          while (encoded.isEmpty()) {
            Optional<Row> row = rows.next();
            if (row.isEmpty()) {
              return false;
            }
            EncodedRow.of(row.get(), encoder, config.data().onBadRow())
                .forEach(result -> result.usable().ifPresent(encoded::add));
          }
          return true;
        }

        @Override
        public EncodedExample next() {
          if (!hasNext()) {
            throw new NoSuchElementException();
          }
          return encoded.remove();
        }
      };
    }

    @Override
    public void close() {
      tokenizer.close();
    }
  }

  /**
   * Loads the reference.
   *
   * @param output receives warnings about it
   */
  public Model openModel(RunOutput output) {
    if (config.loss().referenceChoice() == ReferenceChoice.START
        && config.loss().refModel().isPresent()) {
      LoadedModel other = References.other(config);
      return new Model(other.model(), other);
    }
    ModelBundle own =
        ModelBundle.open(
            config.model().model(),
            text(),
            () ->
                ComputingEngine.memory(
                    config, ModelBlueprint.read("model", config.model().model())),
            loaded -> TrainedAdapter.of(config, loaded, output),
            output);
    try {
      References.cast(config, own.model());
      return new Model(References.own(config, own), own);
    } catch (RuntimeException | Error e) {
      own.close();
      throw e;
    }
  }

  /** The reference. Several threads may use it at once. */
  public final class Model implements AutoCloseable {
    private final CausalLm model;
    private final AutoCloseable owner;

    private Model(CausalLm model, AutoCloseable owner) {
      this.model = model;
      this.owner = owner;
    }

    /**
     * Log-probabilities of some examples, in {@link #BATCHES} from the first one on.
     *
     * @param examples neighbours in the data set, the first of them the first of a batch
     */
    public LogProbTable compute(List<EncodedExample> examples) {
      return LogProbTable.compute(
          config.engine().computation().engine(),
          model,
          examples,
          config.loss().objective().tail(),
          BATCHES,
          done -> {});
    }

    @Override
    public void close() {
      try {
        owner.close();
      } catch (RuntimeException e) {
        throw e;
      } catch (Exception e) {
        throw new IllegalStateException(e);
      }
    }
  }

  /**
   * The key of a data set; reads the weight files of the reference.
   *
   * @param ids of all its examples
   */
  public ReferenceKey key(ReferenceKey.IdsHash ids) {
    ReferenceFiles files =
        References.files(config, ModelBlueprint.read("model", config.model().model()).checkpoint())
            .orElseThrow();
    return ReferenceKey.of(
        files, ids, config.loss().objective().tail(), References.computation(config));
  }

  /** The file of a data set, if the cache has it, complete and undamaged. */
  public Optional<Path> find(ReferenceKey key) {
    try {
      return cache.find(key).map(table -> cache.file(key));
    } catch (IOException e) {
      return Optional.empty(); // it is computed again and replaced, as train does
    }
  }

  /**
   * Stores a table where {@code train} looks for it.
   *
   * @param heldOut whether the data set is held out from training
   * @param table of all examples of the key
   * @return the file
   * @throws DpoException if a number is not finite, or the file cannot be written
   */
  public Path keep(ReferenceKey key, boolean heldOut, LogProbTable table) {
    List<Integer> bad =
        IntStream.range(0, table.size()).filter(i -> !table.finite(i)).boxed().toList();
    if (!bad.isEmpty()) {
      throw new DpoException(
          "log-probabilities under the reference must be finite but are not on %d of %d pairs, first on pair %d; look at these rows with inspect and leave them out, or take another reference"
              .formatted(bad.size(), table.size(), bad.get(0) + 1));
    }
    try {
      return cache.keep(
          key,
          ReferenceTables.notes(
              config, heldOut ? ReferenceTables.HELD_OUT : ReferenceTables.TRAINING),
          table);
    } catch (IOException e) {
      throw new DpoException(
          "[%s] the log-probabilities of the reference must be kept there but were not: %s"
              .formatted(cache.folder(), FileFailure.reason(e)),
          e);
    }
  }
}
