package org.dpo4j.run;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;
import org.dpo4j.DpoException;
import org.dpo4j.config.DataInputs;
import org.dpo4j.config.TrainingConfig;
import org.dpo4j.data.DataInput;
import org.dpo4j.data.FileFailure;
import org.dpo4j.data.RowForm;
import org.dpo4j.data.Sha256;
import org.dpo4j.encode.EncodingCounts;
import org.dpo4j.encode.ExampleDataset;
import org.dpo4j.options.OptionType;
import org.dpo4j.report.RunOutput;
import org.dpo4j.report.RunSummary;

/**
 * Facts about the data of a run, for its model card.
 *
 * @param files what became of the rows of each file
 * @param hashes SHA-256 of each file by its path, in lower-case hex
 * @param rowForm the forms of the training rows
 * @param conversational whether prompts go through the chat template
 */
record DataFacts(
    List<RunSummary.DataFile> files,
    Map<String, String> hashes,
    String rowForm,
    boolean conversational) {

  /**
   * Collects the facts; reads every file once to hash it.
   *
   * @param template whether the model has a chat template
   */
  static DataFacts of(
      TrainingConfig config, TrainingExamples pairs, boolean template, RunOutput output) {
    List<RunSummary.DataFile> files = new ArrayList<>();
    Map<String, String> hashes = new LinkedHashMap<>();
    files.add(file("training", pairs.files(), pairs.training(), output));
    DataInputs.files(pairs.files()).forEach(file -> hash(hashes, file));
    for (HeldOut held : pairs.heldOut()) {
      if (held.files().isPresent()) {
        DataInput input = held.files().get();
        files.add(file(held.use(), input, held.dataset(), output));
        DataInputs.files(input).forEach(file -> hash(hashes, file));
      } else {
        files.add(file(held.use(), split(config, pairs), held.dataset(), Map.of()));
      }
    }
    Set<RowForm> forms = pairs.training().readSummary().forms();
    return new DataFacts(
        files,
        hashes,
        forms.stream().map(RowForm::toString).collect(Collectors.joining("; ")),
        template && !isText(forms));
  }

  /** The origin of held-out pairs that were split off the training pairs. */
  static String split(TrainingConfig config, TrainingExamples pairs) {
    return "%s of %s, seed %d"
        .formatted(
            OptionType.text(config.data().evalSplit().orElseThrow()),
            pairs.files().paths(),
            config.data().evalSplitSeed());
  }

  /** Whether no row was a conversation, so that no prompt goes through the chat template. */
  private static boolean isText(Set<RowForm> forms) {
    return forms.stream().allMatch(f -> f == RowForm.TEXT || f == RowForm.TRANSCRIPTS);
  }

  private static RunSummary.DataFile file(
      String use, DataInput input, ExampleDataset dataset, RunOutput output) {
    EncodingCounts counts = dataset.counts();
    Map<String, Long> dropped = new LinkedHashMap<>();
    counts
        .dropped()
        .forEach((reason, tally) -> dropped.put(output.styled(reason), (long) tally.rows()));
    counts
        .bad()
        .forEach(
            (reason, tally) ->
                dropped.put("bad row: " + output.styled(reason), (long) tally.rows()));
    if (counts.leftOut() > 0) {
      dropped.put(EncodingCounts.LEFT_OUT, (long) counts.leftOut());
    }
    dataset.unused().forEach((reason, pairs) -> dropped.put(reason, (long) pairs));
    return file(use, input.paths(), dataset, dropped);
  }

  private static RunSummary.DataFile file(
      String use, String name, ExampleDataset dataset, Map<String, Long> dropped) {
    int cut = dataset.cut();
    return new RunSummary.DataFile(use, name, dataset.examples().size() - cut, cut, dropped);
  }

  private static void hash(Map<String, String> hashes, Path file) {
    if (!Files.isRegularFile(file)) {
      return; // a pipe cannot be read a second time
    }
    try {
      hashes.put(file.toString(), Sha256.of(file));
    } catch (IOException e) {
      throw new DpoException(
          "[%s] cannot be read: %s".formatted(file, FileFailure.reason(e, file)), e);
    }
  }
}
