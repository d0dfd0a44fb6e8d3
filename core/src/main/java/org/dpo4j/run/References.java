package org.dpo4j.run;

import java.util.List;
import org.dpo4j.UsageException;
import org.dpo4j.encode.PairDataset;
import org.dpo4j.logprob.LogProbTable;
import org.dpo4j.logprob.TailWeight;
import org.dpo4j.model.CausalLm;
import org.dpo4j.reference.MovingReference;
import org.dpo4j.reference.PrecomputedReference;
import org.dpo4j.reference.Reference;
import org.dpo4j.train.PreferenceData;
import org.dpo4j.weights.LoadedModel;
import org.dpo4j.weights.ModelReader;

/** Makes the reference that a run asks for, while no weight has moved. */
final class References {
  private final TrainingConfig config;
  private final Progress progress;

  References(TrainingConfig config, Progress progress) {
    this.config = config;
    this.progress = progress;
  }

  /**
   * The data sets with their reference, which all of them share where it moves. The first one's
   * reference is to be closed.
   *
   * @param inputs the model that training starts from
   */
  List<PreferenceData> of(LoadedInputs inputs, List<PairDataset> datasets) {
    return switch (config.loss().referenceChoice()) {
      case NONE ->
          datasets.stream().map(dataset -> new PreferenceData(dataset.pairs(), null)).toList();
      case BASE -> of(inputs.adapter().orElseThrow().model().base(), inputs.model(), datasets);
      case START ->
          config.loss().refModel().isPresent()
              ? ofOther(inputs.model(), datasets)
              : of(inputs.model(), inputs.model(), datasets);
    };
  }

  private List<PreferenceData> ofOther(CausalLm policy, List<PairDataset> datasets) {
    try (LoadedModel other =
        ModelReader.open("--ref_model", config.loss().refModel().orElseThrow())) {
      if (other.model().vocabSize() < policy.vocabSize()) {
        throw new UsageException(
            "--ref_model must know the model's vocabulary of %d tokens but knows %d; both need one"
                    .formatted(policy.vocabSize(), other.model().vocabSize())
                + " tokenizer");
      }
      return of(other.model(), policy, datasets);
    }
  }

  private List<PreferenceData> of(CausalLm model, CausalLm policy, List<PairDataset> datasets) {
    TailWeight tail = config.loss().objective().tail();
    if (!config.loss().syncRefModel()) {
      return datasets.stream().map(dataset -> precomputed(model, tail, dataset)).toList();
    }
    if (!model.parameters().sameShapes(policy.parameters())) {
      throw new UsageException(
          "--sync_ref_model mixes weights and needs a --ref_model with the weights of --model, by"
              + " name and shape, but they differ; leave out one of the options");
    }
    Reference moving =
        new MovingReference(
            model.copy(),
            new MovingReference.Pace(
                config.loss().refModelMixupAlpha(), config.loss().refModelSyncSteps()),
            tail);
    return datasets.stream().map(dataset -> new PreferenceData(dataset.pairs(), moving)).toList();
  }

  private PreferenceData precomputed(CausalLm model, TailWeight tail, PairDataset dataset) {
    int pairs = dataset.pairs().size();
    return new PreferenceData(
        dataset.pairs(),
        new PrecomputedReference(
            LogProbTable.compute(
                model,
                dataset.pairs(),
                tail,
                config.evaluation().perDeviceEvalBatchSize(),
                done -> progress.update("reference", done, pairs, ""))));
  }
}
