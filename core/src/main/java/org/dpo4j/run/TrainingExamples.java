package org.dpo4j.run;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;
import org.dpo4j.ExampleKind;
import org.dpo4j.UsageException;
import org.dpo4j.config.TrainingConfig;
import org.dpo4j.data.DataInput;
import org.dpo4j.data.NamedInput;
import org.dpo4j.encode.EncodingResources;
import org.dpo4j.encode.ExampleDataset;
import org.dpo4j.encode.ExampleEncoder;
import org.dpo4j.encode.HeldOutSplit;
import org.dpo4j.loss.TrainingLoss;
import org.dpo4j.options.OptionType;

/**
 * The pairs of a run.
 *
 * @param files that training reads
 * @param training pairs to train on
 * @param heldOut sets of pairs to evaluate on; empty for none
 * @param bos id of the token that begins a sequence; -1 for none
 */
record TrainingExamples(DataInput files, ExampleDataset training, List<HeldOut> heldOut, int bos)
    implements AutoCloseable {

  /**
   * Reads and encodes the files, and sets the held-out share aside.
   *
   * @param encoder of the model that is trained
   * @param folder where the encoded pairs are kept while they are used
   */
  static TrainingExamples load(
      TrainingConfig config,
      DataInput files,
      List<NamedInput> heldOutFiles,
      ExampleEncoder encoder,
      Path folder) {
    TrainingConfig.Data data = config.data();
    EncodingResources means =
        new EncodingResources(EncodingResources.threads(config.engine().threads()), folder);
    ExampleEncoder used = encoder(config, encoder);
    ExampleDataset all = load(config, files, data.dataWeights().orElse(List.of()), used, means);
    List<ExampleDataset> opened = new ArrayList<>(List.of(all));
    try {
      if (data.evalSplit().isPresent()) {
        HeldOutSplit.Split sides =
            new HeldOutSplit(data.evalSplit().get(), data.evalSplitSeed(), encoder.bos()).of(all);
        HeldOut held = new HeldOut("", Optional.empty(), prepared(config, sides.held(), folder));
        return new TrainingExamples(
            files, prepared(config, sides.train(), folder), List.of(held), encoder.bos());
      }
      ExampleDataset training = prepared(config, all, folder);
      List<HeldOut> heldOut = new ArrayList<>();
      for (NamedInput set : heldOutFiles) {
        ExampleDataset held = load(config, set.input(), List.of(), used, means);
        opened.add(held);
        heldOut.add(
            new HeldOut(set.name(), Optional.of(set.input()), prepared(config, held, folder)));
      }
      return new TrainingExamples(files, training, List.copyOf(heldOut), encoder.bos());
    } catch (RuntimeException | Error e) {
      opened.forEach(ExampleDataset::close);
      throw e;
    }
  }

  /** The encoder of a run, which cuts rows as its options say. */
  static ExampleEncoder encoder(TrainingConfig config, ExampleEncoder encoder) {
    TrainingConfig.Data data = config.data();
    return switch (config.loss().examples()) {
      case PAIRS -> encoder.truncating(data.truncationMode());
      case LABELED -> config.loss().usesKl() ? encoder.keepingWhole() : encoder;
      case DEMONSTRATIONS ->
          (data.packing() ? encoder.keepingAll() : encoder.truncating(data.truncationMode()))
              .scoring(data.scoring());
    };
  }

  /**
   * The examples as the loss takes them. Mismatched completions are exchanged in blocks of the
   * training's micro-batch, also for evaluation, as in TRL.
   */
  private static ExampleDataset prepared(
      TrainingConfig config, ExampleDataset examples, Path folder) {
    TrainingConfig.Data data = config.data();
    if (config.loss().usesKl()) {
      return examples.mismatched(config.batching().perDeviceTrainBatchSize(), data.maxLength());
    }
    return data.packing() && config.loss().examples() == ExampleKind.DEMONSTRATIONS
        ? examples.packed(data.packingStrategy(), data.maxLength(), folder)
        : examples;
  }

  private static ExampleDataset load(
      TrainingConfig config,
      DataInput input,
      List<Double> shares,
      ExampleEncoder encoder,
      EncodingResources means) {
    TrainingLoss loss = config.loss().objective().loss();
    ExampleDataset dataset =
        ExampleDataset.load(
            input.reading(loss.examples(), loss.usesMargins()),
            shares,
            encoder,
            config.data().onBadRow(),
            means);
    if (!loss.keepsExamples() && dataset.examples().weightsDiffer()) {
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

  /** The training pairs, then those of each evaluation set. */
  List<ExampleDataset> datasets() {
    return Stream.concat(Stream.of(training), heldOut.stream().map(HeldOut::dataset)).toList();
  }

  /** The number of pairs that an evaluation computes. */
  int heldOutSize() {
    return heldOut.stream().mapToInt(HeldOut::size).sum();
  }

  /** Disk space of the encoded pairs; a held-out share is in the training pairs' file. */
  long bytes() {
    return training.examples().bytes()
        + heldOut.stream()
            .filter(held -> held.files().isPresent())
            .mapToLong(held -> held.dataset().examples().bytes())
            .sum();
  }

  @Override
  public void close() {
    datasets().forEach(ExampleDataset::close);
  }
}
