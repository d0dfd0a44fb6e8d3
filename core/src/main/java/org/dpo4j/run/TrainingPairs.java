package org.dpo4j.run;

import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;
import org.dpo4j.UsageException;
import org.dpo4j.config.TrainingConfig;
import org.dpo4j.data.DataInput;
import org.dpo4j.encode.EncodingResources;
import org.dpo4j.encode.HeldOutSplit;
import org.dpo4j.encode.PairDataset;
import org.dpo4j.encode.PairEncoder;
import org.dpo4j.options.OptionType;

/**
 * The pairs of a run.
 *
 * @param files that training reads
 * @param training pairs to train on
 * @param heldOutFiles that evaluation reads; empty if a share of the training files is held out
 * @param heldOut pairs to evaluate on; empty for none
 * @param bos id of the token that begins a sequence; -1 for none
 */
record TrainingPairs(
    DataInput files,
    PairDataset training,
    Optional<DataInput> heldOutFiles,
    Optional<PairDataset> heldOut,
    int bos)
    implements AutoCloseable {

  /**
   * Reads and encodes the files, and sets the held-out share aside.
   *
   * @param encoder of the model that is trained
   * @param folder where the encoded pairs are kept while they are used
   */
  static TrainingPairs load(
      TrainingConfig config,
      DataInput files,
      Optional<DataInput> heldOutFiles,
      PairEncoder encoder,
      Path folder) {
    TrainingConfig.Data data = config.data();
    EncodingResources means =
        new EncodingResources(EncodingResources.threads(config.engine().threads()), folder);
    PairDataset all = load(config, files, data.dataWeights().orElse(List.of()), encoder, means);
    try {
      if (data.evalSplit().isPresent()) {
        HeldOutSplit.Split sides =
            new HeldOutSplit(data.evalSplit().get(), data.evalSplitSeed(), encoder.bos()).of(all);
        return new TrainingPairs(
            files, sides.train(), heldOutFiles, Optional.of(sides.held()), encoder.bos());
      }
      return new TrainingPairs(
          files,
          all,
          heldOutFiles,
          heldOutFiles.map(input -> load(config, input, List.of(), encoder, means)),
          encoder.bos());
    } catch (RuntimeException | Error e) {
      all.close();
      throw e;
    }
  }

  private static PairDataset load(
      TrainingConfig config,
      DataInput input,
      List<Double> shares,
      PairEncoder encoder,
      EncodingResources means) {
    PairDataset dataset = PairDataset.load(input, shares, encoder, config.data().onBadRow(), means);
    if (!config.loss().objective().loss().keepsPairs() && dataset.pairs().weightsDiffer()) {
      dataset.close();
      throw new UsageException(
          "loss_type",
          "%s sorts the pairs of a micro-batch, so that no pair can weigh more than another,"
              .formatted(OptionType.text(config.loss().lossType())),
          "the weights in %s differ".formatted(input.paths()),
          "leave out the column or change the loss");
    }
    return dataset;
  }

  /** The training pairs and, if any, the held-out pairs. */
  List<PairDataset> datasets() {
    return Stream.concat(Stream.of(training), heldOut.stream()).toList();
  }

  /** Disk space of the encoded pairs; a held-out share is in the training pairs' file. */
  long bytes() {
    return training.pairs().bytes()
        + (heldOutFiles.isEmpty() ? 0 : heldOut.orElseThrow().pairs().bytes());
  }

  @Override
  public void close() {
    datasets().forEach(PairDataset::close);
  }
}
