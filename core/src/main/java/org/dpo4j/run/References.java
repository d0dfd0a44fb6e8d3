package org.dpo4j.run;

import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.function.Consumer;
import org.dpo4j.OptionText;
import org.dpo4j.UsageException;
import org.dpo4j.config.BaseDtype;
import org.dpo4j.config.ReferenceChoice;
import org.dpo4j.config.TrainingConfig;
import org.dpo4j.encode.ExampleDataset;
import org.dpo4j.model.CausalLm;
import org.dpo4j.model.WeightMemory;
import org.dpo4j.model.WeightStorage;
import org.dpo4j.ranks.Ranks;
import org.dpo4j.reference.MovingReference;
import org.dpo4j.reference.Reference;
import org.dpo4j.reference.ReferenceFiles;
import org.dpo4j.report.Progress;
import org.dpo4j.tokenizer.TokenizerVocabulary;
import org.dpo4j.train.TrainingData;
import org.dpo4j.weights.Checkpoint;
import org.dpo4j.weights.LoadedModel;
import org.dpo4j.weights.ModelReader;

/** Creates the reference of a run, before the first update. */
final class References {
  private final TrainingConfig config;
  private final Optional<ReferenceFiles> files;
  private final Ranks ranks;
  private final Progress progress;
  private final Consumer<String> cacheWords;

  /**
   * @param files the reference's, as {@link #files}
   * @param ranks that train together
   * @param cacheWords receives messages about the use of the cache
   */
  References(
      TrainingConfig config,
      Optional<ReferenceFiles> files,
      Ranks ranks,
      Progress progress,
      Consumer<String> cacheWords) {
    this.config = config;
    this.files = files;
    this.ranks = ranks;
    this.progress = progress;
    this.cacheWords = cacheWords;
  }

  /**
   * The files that the run's reference is read from; hashes all of them.
   *
   * @param model that training starts from
   */
  static Optional<ReferenceFiles> files(TrainingConfig config, Checkpoint model) {
    return switch (config.loss().referenceChoice()) {
      case NONE -> Optional.empty();
      case BASE -> Optional.of(ReferenceFiles.of("model", model, Optional.empty()));
      case START ->
          config
              .loss()
              .refModel()
              .map(other -> ReferenceFiles.of("ref_model", other, Optional.empty()))
              // A new adapter does not change the model yet.
              .or(() -> Optional.of(ReferenceFiles.of("model", model, config.model().adapter())));
    };
  }

  /**
   * The data sets with their references; a moving reference is shared by all of them. The caller
   * closes the reference of the first one.
   *
   * @param inputs the model that training starts from
   */
  List<TrainingData> of(ModelBundle inputs, List<ExampleDataset> datasets) {
    cast(config, inputs.model());
    return switch (config.loss().referenceChoice()) {
      case NONE ->
          datasets.stream()
              .map(dataset -> new TrainingData(dataset.examples(), null, dataset.packs()))
              .toList();
      case BASE -> of(own(config, inputs), inputs.model(), datasets);
      case START ->
          config.loss().refModel().isPresent()
              ? ofOther(inputs.model(), datasets)
              : of(own(config, inputs), inputs.model(), datasets);
    };
  }

  /** The reference where it is the model that training starts from, or that under its adapter. */
  static CausalLm own(TrainingConfig config, ModelBundle inputs) {
    return config.loss().referenceChoice() == ReferenceChoice.BASE
        ? inputs.adapter().orElseThrow().model().base()
        : inputs.model();
  }

  /** Turns on bfloat16 products if the run uses them. */
  static void cast(TrainingConfig config, CausalLm model) {
    if (config.engine().computation().bf16()) {
      model.parameters().enableBf16();
    }
  }

  /**
   * Loads another model only while its log-probabilities are computed, or not at all if they are
   * cached.
   */
  private List<TrainingData> ofOther(CausalLm policy, List<ExampleDataset> datasets) {
    if (config.loss().syncRefModel()) {
      try (LoadedModel other = other(policy)) {
        return moving(other.model(), policy, datasets);
      }
    }
    ReferenceTables tables = tables(datasets, computation(config));
    if (!tables.complete()) {
      try (LoadedModel other = other(policy)) {
        tables.compute(other.model(), progress);
      }
    }
    return tables.data();
  }

  /** The reference where it is another model. */
  static LoadedModel other(TrainingConfig config) {
    LoadedModel other =
        ModelReader.open(
            "ref_model",
            config.loss().refModel().orElseThrow(),
            new WeightMemory(WeightStorage.AS_STORED, config.engine().computeDevice()));
    cast(config, other.model());
    return other;
  }

  private LoadedModel other(CausalLm policy) {
    LoadedModel other = other(config);
    try {
      requireSameIds(
          config.model().model(), policy, config.loss().refModel().orElseThrow(), other.model());
    } catch (RuntimeException e) {
      other.close();
      throw e;
    }
    return other;
  }

  /**
   * Requires a reference that means the same by every id.
   *
   * @param folder of the model
   * @param other folder of the reference
   */
  static void requireSameIds(Path folder, CausalLm model, Path other, CausalLm reference) {
    if (!TokenizerVocabulary.same(folder, other).orElse(true)) {
      throw new UsageException(
          "ref_model",
          OptionText.of("must mean the same by every id as {model},"),
          "the vocabularies in %s and %s differ"
              .formatted(other.resolve("tokenizer.json"), folder.resolve("tokenizer.json")),
          "take a reference with the model's tokenizer");
    }
    if (reference.vocabSize() < model.vocabSize()) {
      throw new UsageException(
          "ref_model",
          "must know the model's vocabulary of %d tokens".formatted(model.vocabSize()),
          "knows %d".formatted(reference.vocabSize()),
          "both need one tokenizer");
    }
  }

  private List<TrainingData> of(CausalLm model, CausalLm policy, List<ExampleDataset> datasets) {
    if (config.loss().syncRefModel()) {
      return moving(model, policy, datasets);
    }
    ReferenceTables tables = tables(datasets, computation(config));
    tables.compute(model, progress);
    return tables.data();
  }

  /** How the reference computes: the rounded weights of the run's own model give other numbers. */
  static String computation(TrainingConfig config) {
    String products = config.engine().computation().products();
    boolean other =
        config.loss().referenceChoice() == ReferenceChoice.START
            && config.loss().refModel().isPresent();
    return config.lora().baseDtype() == BaseDtype.INT8 && !other ? products + " of int8" : products;
  }

  private ReferenceTables tables(List<ExampleDataset> datasets, String computation) {
    return new ReferenceTables(
        config, files.orElseThrow(), datasets, computation, ranks, cacheWords);
  }

  private List<TrainingData> moving(
      CausalLm model, CausalLm policy, List<ExampleDataset> datasets) {
    if (config.loss().referenceCache().isPresent()) {
      cacheWords.accept("not used: the reference moves");
    }
    if (!model.parameters().sameShapes(policy.parameters())) {
      throw new UsageException(
          "sync_ref_model",
          OptionText.of(
              "mixes weights and needs a {ref_model} with the weights of {model}, by name and shape,"),
          "they differ",
          "leave out one of the options");
    }
    CausalLm copy = model.copy();
    cast(config, copy);
    Reference moving =
        new MovingReference(
            config.engine().computation().engine(),
            copy,
            new MovingReference.SyncSchedule(
                config.loss().refModelMixupAlpha(), config.loss().refModelSyncSteps()),
            config.loss().objective().tail());
    return datasets.stream().map(dataset -> new TrainingData(dataset.examples(), moving)).toList();
  }
}
