package org.dpo4j.config;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Collectors;
import org.dpo4j.OptionText;
import org.dpo4j.options.OptionSpec;
import org.junit.jupiter.api.Test;

/**
 * Keeps {@code docs/reference/trl.md} the same as the options that the program reads. To write the
 * page anew, run this test with {@code -Ddpo4j.write.docs=true}.
 */
class TrlPageTest {
  private static final Path PAGE = Path.of("..", "docs", "reference", "trl.md");

  @Test
  void thePageListsEveryOptionAsTheProgramAnswersIt() throws IOException {
    if (Boolean.getBoolean("dpo4j.write.docs")) {
      Files.createDirectories(PAGE.getParent());
      Files.writeString(PAGE, page());
    }
    assertThat(Files.readString(PAGE)).isEqualTo(page());
  }

  private static String page() {
    List<String> lines = new ArrayList<>();
    lines.add(
        """
        # The options of train and sft, compared with TRL's

        `./dpo4j train` and `./dpo4j sft` take the option names of TRL 1.16 and transformers 5.23, as flags
        (`--learning_rate 1e-6`) and in a YAML file (`--config run.yaml`, where a TRL file works).
        Each option is *honoured*, taken as the *same* as what happens here without a word,
        *accepted* with a one-line notice because it changes nothing here, accepted and *warned*
        of because something would be missed, or *refused* with the reason. Unset values (`null`,
        `none`) are always accepted. Made from the program's own list; do not edit.

        A YAML file is read as PyYAML reads it: anchors, aliases and merge keys (`<<`), `yes` and
        `no`, `1e-6` where a number is wanted. Refused with their line are what PyYAML would read
        as something else than it looks like (`010` is 8, `1:30` is 90), tags beyond `!!str`,
        `!!int`, `!!float`, `!!bool` and `!!null`, a key given twice, and a second document.
        Relative paths start at the current folder.

        The options are those of TRL's `DPOConfig`, `KTOConfig` and `SFTConfig` together; an option that
        the loss does not use is refused or noticed. `sft` is `train` with `loss_type: nll` and the
        learning rate of `SFTConfig`.

        Lists are written as in TRL, `--loss_type sigmoid sft`, with commas, or as JSON.

        ## Deliberate differences

        | option | TRL | here | why |
        |---|---|---|---|
        | `bf16` | true | false | many processors multiply bf16 slower than 32 bits; where they do, `bf16: true` computes in 32 bits and says so. Norms, attention, softmax and sums are in 32 bits either way |
        | `gradient_checkpointing` | true | false | activations fit; the numbers are the same to rounding |
        | `precompute_ref_log_probs` | false | true, and kept for other runs | the reference never changes; see [the reference cache](reference-cache.md) |
        | `warmup_ratio` | gone since transformers 5 | honoured, as `warmup_steps` below 1 | older recipes use it |
        | `dtype` | bfloat16: weights, gradients and optimizer in that format | always float32; `bf16` speeds up products, `save_dtype` says what is written | updates smaller than the format's steps would be lost |
        | `label_smoothing` with `loss_type: sigmoid` or `sigmoid_norm` | ignored | honoured (cDPO), 0 to 0.5 | conservative DPO; see [losses](losses.md) |
        | `loss_type: odpo`, `ipo_sum` and `dpop` | not there | papers' losses, with `odpo_alpha` and `dpop_lambda` | see [losses](losses.md) |
        | `disable_dropout` false | dropout of model and adapter | of the adapter; refused where config.json has dropout of the model's own | the models here have none |
        | `lora_target_modules` with one plain name | a pattern for the whole path | the name of layers, as in a list | a pattern of that kind finds no layer |
        | `sync_ref_model` with an adapter | refused | the reference is a second adapter on the same model | see [losses](losses.md) |
        | `output_dir` | `trainer_output` | required | a folder is never guessed |
        | `disable_dropout` with `loss_type: nll` | not an option: dropout of model and adapter acts | true, as for the other losses | one rule; `false` turns the adapter's on, as `SFTConfig` has it |
        | `shuffle` with `loss_type: kto` | `train_sampling_strategy: sequential`, nothing else | true: whole micro-batches are shuffled; false is TRL's order | completions are exchanged within micro-batches of the file's order |
        | `learning_rate` | 1e-6 in `DPOConfig` and `KTOConfig`, 2e-5 in `SFTConfig` | 1e-6 in `train`, 2e-5 in `sft` | `train --loss_type nll` has 1e-6 |
        | `assistant_only_loss` | a known chat template without marks is replaced | the template is used as it is and needs the tag `generation` | only `chat_template` replaces a template |
        | `dataset_name` | a set of the hub | `data_file`, a file | nothing is fetched |

        And in the numbers:

        | what | TRL | here |
        |---|---|---|
        | metrics of a step of several micro-batches; where the last one is smaller, its loss and gradient too | means of the micro-batches' means | exact means over examples and tokens |
        | `kl`, `rewards/*`, `logps/*` of labelled completions in a line of several micro-batches | means over the micro-batches that have the label | means over the examples that have it |
        | `eval_loss` with `loss_type: nll` | mean over batches, weighted by their rows | mean over tokens |
        | labelled completions without a `prompt`, as `messages` | fails | the last turn is the completion |
        | pairs as demonstrations | fails | the chosen side |
        | `rewards/accuracies` | any margin above 0 is right | a margin within rounding (2^-21 of the log-probabilities) is a tie, and wrong |
        | an implicit prompt whose very first characters differ | may take the last space of `chosen` for the character before | empty |
        | rows with `instruction`, `question` or `input` and no `prompt` | text with an implicit prompt | conversations; `--data_format text` reads them as TRL |
        | a prompt that the completions repeat | trained on twice | a bad row; text that one side alone repeats is a warning |
        | fields that Parquet fills in with null, as in `arguments` of tool calls | rendered as `null` | taken as not written, as from JSON |
        | `tokenizer.json` | parts of it replaced for some tokenizer classes | as it stands, or with `tokenizer_source transformers` as there; see [tokens](tokens.md) |
        | the reference of a new adapter with `lora_bias` (PEFT's `bias`) | has the trained biases unless it is precomputed | has those of the start |
        | the reference of an adapter on the embedding table that is trained on | lacks the table's factors: names that end in `.default` are not copied | has them |
        | one adapter of a tied embedding table and head (`ensure_weight_tying`) | updated twice in a step, once for each use | updated once, by both uses together ([adapters](adapters.md#embedding-table-and-head)) |
        | `lora_target_modules: all-linear` with `mixtral`, `qwen3_moe` and `olmoe` | adapts experts and routers too | adapts attention; `lora_target_parameters` names experts and routers ([adapters](adapters.md#experts-and-routers)) |
        | prefix tuning and other adapters | PEFT's | refused by name |

        ## Honoured
        """);
    lines.add("| option | default | what it does |\n|---|---|---|");
    for (OptionSpec option : TrainingConfig.OPTIONS.options()) {
      String aliases =
          option.aliases().stream().map(", `%s`"::formatted).collect(Collectors.joining());
      lines.add(
          "| `%s`%s | %s | %s |"
              .formatted(
                  option.name(),
                  aliases,
                  option.required()
                      ? "required"
                      : option.defaultText().map("`%s`"::formatted).orElse("not set"),
                  option.description()));
    }
    String heading = "";
    for (TrlOptions.Row row : TrlOptions.load().rows()) {
      if (!row.heading().equals(heading)) {
        heading = row.heading();
        lines.add("\n## " + heading.replaceAll("\\.$", "") + "\n");
        lines.add("| option | value | answer | why, and what to do |\n|---|---|---|---|");
      }
      lines.add(
          "| %s | %s | %s | %s |"
              .formatted(
                  code(row.names()),
                  row.values().get(0).equals("*") ? "any other" : code(row.values()),
                  row.answer().startsWith("as ")
                      ? "read as `" + row.answer().substring(3) + "`"
                      : row.answer(),
                  OptionText.flags(row.text())));
    }
    return String.join("\n", lines) + "\n";
  }

  private static String code(List<String> words) {
    return words.stream().map("`%s`"::formatted).collect(Collectors.joining(", "));
  }
}
