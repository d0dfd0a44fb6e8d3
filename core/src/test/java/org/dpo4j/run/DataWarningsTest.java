package org.dpo4j.run;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.dpo4j.config.InspectConfig;
import org.dpo4j.config.TrainingConfig;
import org.dpo4j.report.Progress;
import org.dpo4j.report.RunOutput;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Closes what a run knows of its data and keeps to itself, and warnings that nobody can act on. */
class DataWarningsTest {
  private static final Path EXAMPLES = Path.of("..", "examples");
  private static final String TEXT_NOTICE = "plain text and are trained without the chat template";

  private final ByteArrayOutputStream out = new ByteArrayOutputStream();
  private final ByteArrayOutputStream err = new ByteArrayOutputStream();
  private final RunOutput output =
      new RunOutput(
          new PrintStream(out, true, StandardCharsets.UTF_8),
          new PrintStream(err, true, StandardCharsets.UTF_8),
          Progress.NONE);
  private final Path folder;

  DataWarningsTest(@TempDir Path folder) {
    this.folder = folder;
  }

  @Test
  void theExampleHasNoWarningAndOneNoteOfItsTemplate() {
    inspect(EXAMPLES.resolve("pairs.jsonl"), Map.of());
    assertThat(output.warnings()).isEmpty();
    assertThat(err.toString(StandardCharsets.UTF_8)).isEmpty();
    assertThat(out.toString(StandardCharsets.UTF_8))
        .containsOnlyOnce(
            "  note: the chat template ends an answer with white space behind EOS, which is scored as"
                + " in TRL; nothing to do (64 pairs)\n")
        .contains(
            "the first 10 of 64 pairs are shown; rows 0 shows all (for a pager such as less), row N")
        .containsOnlyOnce("[" + EXAMPLES.resolve("pairs.jsonl") + ":1] row 1: kept\n");
    out.reset();
    inspect(EXAMPLES.resolve("pairs.jsonl"), Map.of("rows", 0));
    assertThat(out.toString(StandardCharsets.UTF_8)).doesNotContain("are shown");
  }

  @Test
  void textOnAModelWithATemplateIsSaidUnlessTheUserSaysWhatItIs() throws IOException {
    Path file =
        write("text.jsonl", "{\"prompt\":\"Why?\",\"chosen\":\" So.\",\"rejected\":\" No.\"}");
    inspect(file, Map.of());
    assertThat(output.warnings())
        .singleElement()
        .asString()
        .contains(TEXT_NOTICE, "data_format messages");
    err.reset();
    inspect(file, Map.of("data_format", "text"));
    inspect(file, Map.of("data_format", "messages"));
    assertThat(err.toString(StandardCharsets.UTF_8)).doesNotContain("warning");
    assertThat(out.toString(StandardCharsets.UTF_8))
        .contains("  rows: conversations, from the strings of the column \"prompt\"\n");
  }

  @Test
  void transcriptsAreToldFromOtherText() throws IOException {
    Path file =
        write(
            "hh.jsonl",
            """
            {"chosen":"\\n\\nHuman: a?\\n\\nAssistant: w","rejected":"\\n\\nHuman: a?\\n\\nAssistant: l"}
            """);
    inspect(file, Map.of());
    assertThat(output.warnings()).singleElement().asString().contains("data_format hh");
  }

  @Test
  void emptyPromptsAndLostColumnsAreSaidWithTheirFirstRow() throws IOException {
    Path file =
        write(
            "text.jsonl",
            """
            {"chosen":"Apple","rejected":"Brick","system":null}
            {"chosen":"Pear","rejected":"Stone","system":"Be brief."}
            """);
    inspect(file, Map.of("data_format", "text"));
    assertThat(output.warnings())
        .containsExactly(
            "the column \"system\" is filled but ignored, as in TRL (first [%s:2]); pass"
                    .formatted(file)
                + " data_format messages to put it before the prompt",
            "2 of 2 pairs: the prompt is empty; give it in the column \"prompt\", or name its column"
                + " with columns prompt=NAME (first [%s:1])".formatted(file));
  }

  @Test
  void heldOutPairsThatAreTrainedOnAreSaid() throws IOException {
    List<String> rows = Files.readAllLines(EXAMPLES.resolve("eval.jsonl"));
    Path training = write("training.jsonl", String.join("\n", rows.subList(0, 6)));
    Path held = write("held.jsonl", String.join("\n", rows.subList(4, 8)));
    TrainingRun.run(
        TrainingConfig.of(
            Map.of(
                "model",
                EXAMPLES.resolve("tiny-chat"),
                "data_file",
                training,
                "eval_file",
                held,
                "output_dir",
                folder.resolve("out"),
                "max_steps",
                1,
                "reference_cache",
                "off")),
        output);
    assertThat(output.warnings())
        .contains(
            ("2 of 4 held-out pairs are also trained on (first [%s:1], which is [%s:5]); the"
                    + " evaluation shows there what the model has memorized; leave them out of one"
                    + " of the files, or hold pairs out with eval_split")
                .formatted(held, training));
  }

  private void inspect(Path file, Map<String, ?> more) {
    Map<String, Object> options = new HashMap<>(more);
    options.put("model", EXAMPLES.resolve("tiny-chat"));
    options.put("data_file", file);
    InspectRun.run(InspectConfig.of(options), output);
  }

  private Path write(String name, String text) throws IOException {
    return Files.writeString(folder.resolve(name), text);
  }
}
