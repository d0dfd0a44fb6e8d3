package org.dpo4j.run;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;
import org.dpo4j.DpoException;
import org.dpo4j.OptionText;
import org.dpo4j.UsageException;
import org.dpo4j.config.InspectConfig;
import org.dpo4j.report.Progress;
import org.dpo4j.report.RunOutput;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * Closes rows that cannot be found or read on the screen, totals that say nothing of a data set
 * that is wrong as a whole, a check that passes over findings, and advice without a reason.
 */
class InspectRunTest {
  private static final Path MODEL = Path.of("..", "examples", "tiny-chat");
  private static final String LONG = "word ".repeat(120).strip();

  private final ByteArrayOutputStream out = new ByteArrayOutputStream();
  private final ByteArrayOutputStream err = new ByteArrayOutputStream();
  private final Path folder;
  private final Path file;

  InspectRunTest(@TempDir Path folder) {
    this.folder = folder;
    this.file = folder.resolve("rows.jsonl");
  }

  @Test
  void theReasonChoosesTheRowsAndTheHintSaysHowToSeeMore() throws IOException {
    write(
        pair("Hi", "Hello!", "Go away."),
        pair("Hi", LONG, "Go."),
        pair(LONG, "Yes.", "No."),
        pair(LONG, "Ja.", "Nein."),
        pair("Hi", "", ""));
    Map<String, Object> options = Map.of("max_length", 100, "on_bad_row", "skip");
    assertThat(rows(options, Map.of("reason", "kept"))).containsExactly(1);
    assertThat(rows(options, Map.of("reason", "cut"))).containsExactly(2);
    assertThat(rows(options, Map.of("reason", "dropped"))).containsExactly(3, 4);
    assertThat(rows(options, Map.of("reason", "Prompt alone"))).containsExactly(3, 4);
    assertThat(rows(options, Map.of("reason", "bad"))).containsExactly(5);
    assertThat(rows(options, Map.of("reason", "empty chosen"))).containsExactly(5);
    assertThat(rows(options, Map.of("reason", "nothing of that kind"))).isEmpty();
    assertThat(err.toString(StandardCharsets.UTF_8))
        .contains("note: --reason nothing of that kind fits none of the 5 pairs");
    assertThat(rows(options, Map.of("reason", "dropped", "rows", 1))).containsExactly(3);
    assertThat(unwrapped())
        .contains(
            "1 of the 2 pairs for this --reason is shown; --rows 0 shows all (for a pager such as"
                + " less), --row N")
        .contains("2 dropped: prompt alone reaches max_length (first [" + file + ":3])");
    assertThat(rows(options, Map.of("rows", 2))).containsExactly(1, 2);
    assertThat(text()).contains("the first 2 of 5 pairs are shown; --rows 0");
    assertThat(rows(options, Map.of())).hasSize(5);
    assertThat(text()).doesNotContain("are shown").contains("bad: [" + file + ":5] empty chosen: ");
  }

  @Test
  void theReasonChoosesTheRowsOfAFileToo() throws IOException {
    write(pair("Hi", "Hello!", "Go away."), pair("Hi", LONG, "Go."));
    Path written = folder.resolve("out.jsonl");
    run(Map.of("max_length", 100, "reason", "cut", "output", written), false);
    assertThat(Files.readAllLines(written)).singleElement().asString().contains("\"row\":2");
    assertThat(text()).contains("2 of 2 pairs kept", "prompt + longer", "advice, from");
  }

  @Test
  void oneRowIsShownWholeWithWhatWasCut() throws IOException {
    write(pair("Hi", "Go on.", "Go."), pair("Hi", LONG + "\nThe end.", "Go."));
    run(Map.of("rows", 0), false);
    assertThat(text()).contains(" ids ... ");
    run(Map.of("row", 2, "max_length", 60), false);
    assertThat(text())
        .contains(
            "row 2: cut", "\n  cut off\n", "    The end.<|im_end|>\n", "  boundary: at the last")
        .doesNotContain(" ids ... ", "row 1: ", "advice", "5 %");
    run(Map.of("row", 2), false);
    // A line of text on a line.
    assertThat(text()).contains("\\n\n    The│ end│.│<|im_end|>│\\n\n");
    assertThatThrownBy(() -> run(Map.of("row", 3), false))
        .isInstanceOf(UsageException.class)
        .hasMessage(
            "row must be the number of a row but was 3, and there are 2 rows; rows count from 1 in"
                + " each file");
  }

  @Test
  void aCharacterOfSeveralTokensIsShownAsOne() throws IOException {
    write(pair("Hi", "是的。", "No."));
    run(Map.of(), false);
    assertThat(text()).contains("│的₃│").doesNotContain("\uFFFD");
  }

  @Test
  void coloursSayNoMoreThanTheText() throws IOException {
    write(pair("Hi", "Hello!", "Go away."));
    run(Map.of(), false);
    String plain = text();
    run(Map.of(), true);
    String coloured = text();
    assertThat(plain).doesNotContain("\u001b");
    assertThat(coloured)
        .contains(
            "\u001b[35m<|im_start|>\u001b[0m", "\u001b[36mH", "\u001b[1;32mH", "\u001b[1;33mG");
    assertThat(coloured.replaceAll("\u001b\\[[0-9;]*m", "").replaceFirst("colours: .*\n", ""))
        .isEqualTo(plain);
  }

  @Test
  void strictPassesCleanRowsAndNamesEverythingElse() throws IOException {
    write(pair("Hi", "Hello!", "Go away."));
    run(Map.of("strict", true), false);

    write(
        pair("Hi", "Hello!", "Go away."),
        pair("Hi", "Go away.", "Hello!"),
        pair("Hi", LONG, "Go."),
        pair(LONG, "Yes.", "No."),
        pair("Hi", "", ""));
    assertThatThrownBy(
            () -> run(Map.of("strict", true, "max_length", 100, "on_bad_row", "skip"), false))
        .isInstanceOf(DpoException.class)
        .isNotInstanceOf(UsageException.class)
        .hasMessage(
            "strict allows no findings, and there are 4: 1 of 5 pairs are cut; 1 dropped: prompt alone"
                + " reaches max_length; 1 bad: empty chosen; 1 of 3 pairs are an earlier one with the"
                + " opposite preference");
    assertThat(text()).contains("opposite preference: 1");
  }

  @Test
  void aTemplateThatDoesNotRepeatItsPromptIsToldFromAMerge() throws IOException {
    Path template =
        Files.writeString(
            folder.resolve("think.jinja"),
            "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
                + "{% if add_generation_prompt %}<|im_start|>assistant\n<think>\n{% endif %}");
    write(pair("Hi", "Hello!", "Go away."));
    run(Map.of("chat_template", template, "row", 1), false);
    assertThat(text())
        .contains("boundary: before the end of the template's prompt", "(as with <think>)");
    run(Map.of("chat_template", template), false);
    assertThat(unwrapped())
        .contains(" boundary in 1 of 1 (100 %): before the end of the template's prompt");
    write("{\"prompt\":\"How long sho\",\"chosen\":\"uld it\",\"rejected\":\"w it\"}");
    run(Map.of("row", 1), false);
    assertThat(text()).contains("boundary: before a token that crosses the end of the prompt");
  }

  @Test
  void adviceHasTheNumbersOfTheData() throws IOException {
    List<String> rows = new ArrayList<>();
    for (int i = 0; i < 40; i++) {
      rows.add(pair("Say " + i, LONG + " " + i, "Go " + i));
    }
    write(rows.toArray(String[]::new));
    run(Map.of("rows", 1), false);
    assertThat(unwrapped())
        .contains("--max_length 1024, the default, cuts no pair: the longest has ")
        .contains("--learning_rate 1e-6 to 1e-5, with --use_peft 1e-5 to 1e-4: for 3.15 million")
        .contains("has 5 steps of 8 pairs, which are few")
        .contains(
            "--beta 0.1, the default: a pair is learned", "128 tokens (median) have moved by 0.31")
        .contains("--loss_type sigmoid_norm with --beta 5, or simpo")
        .doesNotContain("robust");

    // Of 20 pairs that are there again, 10 have the other preference.
    List<String> noisy = new ArrayList<>();
    for (int i = 0; i < 20; i++) {
      noisy.add(pair("Say " + i, "Yes, number " + i, "No"));
      noisy.add(i < 10 ? pair("Say " + i, "No", "Yes, number " + i) : noisy.get(2 * i));
    }
    write(noisy.toArray(String[]::new));
    run(Map.of("rows", 1), false);
    assertThat(unwrapped())
        .contains(
            "--loss_type robust --label_smoothing 0.40, or sigmoid with the same (cDPO): 10 of"
                + " the 20 pairs that are there again have the opposite label")
        .contains("--beta 0.8 or more: answers are short");

    write(pair("Hi", "word ".repeat(1500).strip(), "No."), pair("Hi", "Yes.", "No."));
    run(Map.of("rows", 1, "model", copyWithoutWeights()), false);
    assertThat(unwrapped())
        .contains("--max_length 1024, the default, cuts or drops 50.0 %; 1536 cuts or drops 0.0 %")
        .doesNotContain("--learning_rate", "micro-batches");
  }

  private Path copyWithoutWeights() throws IOException {
    Path copy = Files.createDirectories(folder.resolve("tokenizer"));
    for (String name : List.of("config.json", "tokenizer.json", "tokenizer_config.json")) {
      Files.copy(MODEL.resolve(name), copy.resolve(name));
    }
    String template = "chat_template.jinja";
    if (Files.exists(MODEL.resolve(template))) {
      Files.copy(MODEL.resolve(template), copy.resolve(template));
    }
    Path config = copy.resolve("config.json");
    Files.writeString(
        config,
        Files.readString(config)
            .replaceFirst(
                "\"max_position_embeddings\": \\d+", "\"max_position_embeddings\": 4096"));
    return copy;
  }

  private List<Integer> rows(Map<String, Object> options, Map<String, Object> more) {
    Map<String, Object> all = new HashMap<>(options);
    all.putAll(more);
    run(all, false);
    String text = text();
    return IntStream.rangeClosed(1, 9)
        .filter(i -> text.contains("] row " + i + ": "))
        .boxed()
        .toList();
  }

  private void run(Map<String, Object> options, boolean coloured) {
    out.reset();
    err.reset();
    Map<String, Object> all = new HashMap<>(Map.of("model", MODEL, "data_file", file));
    all.putAll(options);
    RunOutput output =
        new RunOutput(
            new PrintStream(out, true, StandardCharsets.UTF_8),
            new PrintStream(err, true, StandardCharsets.UTF_8),
            Progress.NONE,
            OptionText::flags,
            coloured);
    InspectRun.run(InspectConfig.of(all), output);
  }

  private String text() {
    return out.toString(StandardCharsets.UTF_8);
  }

  private String unwrapped() {
    return text().replaceAll("\\s+", " ");
  }

  private void write(String... rows) throws IOException {
    Files.write(file, List.of(rows));
  }

  private static String pair(String prompt, String chosen, String rejected) {
    return """
    {"prompt":[{"role":"user","content":"%s"}],"chosen":[{"role":"assistant","content":"%s"}],\
    "rejected":[{"role":"assistant","content":"%s"}]}
    """
        .formatted(prompt, chosen.replace("\n", "\\n"), rejected)
        .strip();
  }
}
