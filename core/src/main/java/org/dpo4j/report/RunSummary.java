package org.dpo4j.report;

import java.util.List;
import java.util.Map;
import org.dpo4j.ExampleKind;
import org.dpo4j.loss.TrainingLoss;
import org.jspecify.annotations.Nullable;

/**
 * The contents of a model card. All strings are plain text; the card escapes them.
 *
 * @param minimized the loss, or the sum of several
 * @param modelName name of the tuned model, usually the output folder's
 * @param baseModel the checkpoint that training started from: a hub name or a folder
 * @param adapter whether the folder holds a LoRA adapter and not a whole model
 * @param reference the reference, as a phrase: "a frozen copy of the starting model"
 * @param loss the loss, as a phrase: "sigmoid (DPO), beta 0.1"
 * @param conversational whether prompts go through the chat template, because the data are messages
 * @param rowForm form of the training rows, as the model read them: "conversations, through the
 *     chat template", "plain text, without a chat template"
 * @param license of the base model, as spelled in its card; null if unknown
 * @param settings options that differ from their defaults, in the order to show
 * @param data how many rows of each data file were used
 * @param heldOut the evaluations of each set of held-out examples
 * @param trainSeconds wall time of the run
 * @param versions names and versions of the software used
 * @param origin inputs of the model, and how it was saved
 * @param account outcome of the run, and how to try the result
 */
public record RunSummary(
    TrainingLoss minimized,
    String modelName,
    String baseModel,
    boolean adapter,
    String reference,
    String loss,
    boolean conversational,
    String rowForm,
    @Nullable String license,
    Map<String, String> settings,
    List<DataFile> data,
    List<RunHistory.HeldOut> heldOut,
    double trainSeconds,
    Map<String, String> versions,
    Origin origin,
    Account account) {

  /** The kind of the examples. */
  ExampleKind kind() {
    return minimized.examples();
  }

  /**
   * The outcome of the run, and how to try the result.
   *
   * @param folder of the model, relative to the folder where the run was started; "." if the path
   *     is absolute
   * @param base of the base model, relative to the same folder; only its name if the path is
   *     absolute
   * @param training how it was trained, as a sentence
   * @param results the outcome, as sentences; see {@link Conclusion#summary}
   * @param warnings of the run
   * @param samples answers before and after
   */
  public record Account(
      String folder,
      String base,
      String training,
      List<String> results,
      List<String> warnings,
      List<Sample> samples) {}

  /**
   * One prompt and its answers.
   *
   * @param prompt as the model sees it, with its special tokens
   * @param before the answer of the model that training started from
   * @param after the answer of the tuned model
   */
  public record Sample(String prompt, String before, String after) {}

  /**
   * The identity of the inputs, and the form of the result.
   *
   * @param lineage models from which the base model was tuned, the nearest first: hub names or
   *     folders; empty if its folder does not record any
   * @param weightsSha256 of the base model's weight files, in lower-case hex
   * @param dataSha256 of each data file, by its path
   * @param saved the number type of the saved weights, and why: "float32 (bfloat16 would lose 97 %
   *     of the update)"
   */
  public record Origin(
      List<String> lineage, String weightsSha256, Map<String, String> dataSha256, String saved) {}

  /**
   * How many rows of one file were used; the three counts add up to its rows.
   *
   * @param use "training" or "held-out evaluation"
   * @param name the file's path
   * @param kept rows used whole
   * @param cut rows used after truncation
   * @param dropped rows not used, by reason
   */
  public record DataFile(String use, String name, long kept, long cut, Map<String, Long> dropped) {}
}
