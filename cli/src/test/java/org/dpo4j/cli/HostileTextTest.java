package org.dpo4j.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.commonmark.node.AbstractVisitor;
import org.commonmark.node.HtmlBlock;
import org.commonmark.node.HtmlInline;
import org.commonmark.node.Image;
import org.commonmark.node.Link;
import org.commonmark.parser.Parser;
import org.dpo4j.report.RunOutput;
import org.dpo4j.report.SafePrintStream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.DisabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/**
 * Closes text of others that acts: an escape code that clears the screen or sets the title, letters
 * that change places, lines that pass for messages of this program, mark-up in a model card. The
 * commands are the real ones; the names, pairs, prompts and answers are hostile.
 */
@DisabledOnOs(OS.WINDOWS) // whose file names cannot have these characters
class HostileTextTest {
  private static final Path EXAMPLES = Path.of("..", "examples");
  private static final JsonMapper JSON = new JsonMapper();

  private static final String CLEAR = "\u001b[2J";
  private static final String EVIL =
      CLEAR
          + "\u001b]0;t\u0007\u009b31m \u202egnp.exe\u2066 pass\u200bword\u200dx\ufeff\r\u0000"
          + " <script>alert(1)</script> ![i](http://evil.example/x) http://evil.example\nerror: fake";

  /** What obeys on a terminal, changes the order of letters, or is not seen. */
  private static final Pattern ACTIVE =
      Pattern.compile(
          "[\\p{Cc}&&[^\\n\\t]]|[\\u0080-\\u009f\\u202a-\\u202e\\u2066-\\u2069\\u200b\\u200d-\\u200f"
              + "\\u061c\\ufeff\\u2028\\u2029]");

  /** This program's own colours: a sequence before a part of a line, and one behind it. */
  private static final Pattern COLOURS =
      Pattern.compile("\u001b\\[(?:1|2|3[156]|1;3[23])m([^\u001b]*)\u001b\\[0m");

  private final ByteArrayOutputStream out = new ByteArrayOutputStream();
  private final ByteArrayOutputStream err = new ByteArrayOutputStream();
  private final Path folder;
  private final Path model;
  private final Path pairs;

  HostileTextTest(@TempDir Path folder) {
    this.folder = folder;
    model = folder.resolve("mo" + CLEAR + "<b>del\nerror: fake");
    pairs = folder.resolve("pa" + CLEAR + "`irs`\nerror: fake.jsonl");
  }

  @BeforeEach
  void makeModelAndPairs() throws IOException {
    Files.createDirectory(model);
    try (Stream<Path> files = Files.list(EXAMPLES.resolve("tiny-chat"))) {
      for (Path file : files.toList()) {
        Files.copy(file, model.resolve(file.getFileName().toString()));
      }
    }
    // The full stop of this model's answers is decoded as ESC.
    Path tokenizer = model.resolve("tokenizer.json");
    String json = Files.readString(tokenizer);
    JsonNode vocabulary = JSON.readTree(json).get("model").get("vocab");
    int stop = vocabulary.get(".").asInt();
    int escape = vocabulary.get("\u011b").asInt();
    Files.writeString(
        tokenizer,
        json.replaceFirst("\"\\.\":\\s*" + stop + "\\b", "\".\": " + escape)
            .replaceFirst("\"(\u011b|\\\\u011b)\":\\s*" + escape + "\\b", "\"\u011b\": " + stop));
    List<String> rows = new ArrayList<>();
    for (int i = 0; i < 6; i++) {
      rows.add(
          JSON.writeValueAsString(
              Map.of(
                  "prompt",
                  "How do I boil an egg? " + EVIL + i,
                  "chosen",
                  "In water." + EVIL,
                  "rejected",
                  "No." + EVIL + i,
                  "ignored" + EVIL,
                  "x")));
    }
    Files.write(pairs, rows);
  }

  @Test
  void trainingPrintsAndWritesNothingThatActs() throws IOException {
    Path output = folder.resolve("ou" + CLEAR + "<i>t\nerror: fake");
    assertThat(
            terminal(
                "train",
                "--model=" + model,
                "--data_file=" + pairs,
                "--output_dir=" + output,
                "--eval_split=2",
                "--max_steps=2",
                "--logging_steps=1",
                "--per_device_train_batch_size=2",
                "--max_length=512",
                "--sample_prompts=2"))
        .as("%s", err)
        .isZero();
    assertHarmless();
    String card = Files.readString(output.resolve("README.md"));
    assertThat(active(card)).isEmpty();
    assertThat(card).contains("\\u001b").contains("## Sample answers");
    assertThat(markup(card)).isEmpty();
    String svg = Files.readString(output.resolve("curves.svg"));
    assertThat(active(svg)).isEmpty();
    assertThat(svg).contains("\\u001b[2J").doesNotContain("<i>", "<b>");
    assertThat(active(Files.readString(output.resolve("dpo4j.yaml")))).isEmpty();
  }

  @ParameterizedTest
  @ValueSource(strings = {"inspect", "plan --trial=false", "score --output=scores.jsonl"})
  void theOtherCommandsOnPairsPrintNothingThatActs(String command) {
    String[] words = command.split(" ");
    List<String> all = new ArrayList<>(List.of(words[0], "--model=" + model));
    all.add("--data_file=" + pairs);
    if (words.length > 1) {
      all.add(words[1].replace("=scores", "=" + folder + "/scores" + CLEAR));
    }
    assertThat(terminal(all.toArray(String[]::new))).as("%s", err).isZero();
    assertHarmless();
    assertThat(out.toString(StandardCharsets.UTF_8)).contains("\\u001b[2J");
  }

  @Test
  void rowsInAFileAreHarmlessAndExact() throws IOException {
    Path rows = folder.resolve("rows.jsonl");
    assertThat(terminal("inspect", "--model=" + model, "--data_file=" + pairs, "--output=" + rows))
        .as("%s", err)
        .isZero();
    String text = Files.readString(rows);
    assertThat(active(text)).isEmpty();
    JsonNode first = JSON.readTree(text.lines().findFirst().orElseThrow());
    assertThat(first.get("prompt_text").asString())
        .isEqualTo("How do I boil an egg? " + EVIL + "0");
    out.reset();
    assertThat(pipe("inspect", "--model=" + model, "--data_file=" + pairs, "--output=-")).isZero();
    assertThat(out.toString(StandardCharsets.UTF_8)).isEqualTo(text);
  }

  @Test
  void anAnswerIsExactInAPipeAndHarmlessOnATerminal() throws IOException {
    String[] words = {
      "generate", "--model=" + model, "--prompt=How do I boil an egg", "--max_new_tokens=40"
    };
    assertThat(pipe(words)).as("%s", err).isZero();
    String exact = out.toString(StandardCharsets.UTF_8);
    assertThat(exact).contains("\u001b");
    out.reset();
    assertThat(terminal(words)).isZero();
    assertHarmless();
    assertThat(out.toString(StandardCharsets.UTF_8))
        .isEqualTo("\r\u001b[K" + exact.replace("\u001b", "\\u001b"));

    Path prompts = folder.resolve("prompts.jsonl");
    Files.writeString(prompts, JSON.writeValueAsString(Map.of("prompt", EVIL)));
    out.reset();
    words[2] = "--prompts_file=" + prompts;
    assertThat(pipe(words)).as("%s", err).isZero();
    assertHarmless();
    assertThat(JSON.readTree(out.toString(StandardCharsets.UTF_8)).get("prompt").asString())
        .isEqualTo(EVIL);
  }

  @Test
  void errorsThatQuoteOptionsFilesRowsAndTemplatesAreHarmless() throws IOException {
    String train = "--output_dir=" + folder.resolve("x");
    Path yaml = folder.resolve("run.yaml");
    Files.writeString(yaml, "\"be\\x1b[2J\\u202eta\": 1\n");
    Path bad = folder.resolve("bad.jsonl");
    Files.writeString(bad, JSON.writeValueAsString(Map.of("pro" + EVIL, EVIL)) + "\n");
    Path broken = folder.resolve("broken.jsonl");
    Files.writeString(broken, "{\"prompt\": \u001b[2J\u202e}\n");
    List<List<String>> commands =
        List.of(
            List.of("tr" + EVIL),
            List.of("train", "--be" + EVIL + "=1"),
            List.of("train", train, "--loss_type=" + EVIL),
            List.of("train", EVIL),
            List.of("train", "--config=" + yaml),
            List.of("train", "--config=" + EVIL.replace("\u0000", "")),
            List.of("inspect", "--model=" + CLEAR, "--data_file=" + pairs),
            List.of("inspect", "--model=" + model, "--data_file=" + CLEAR),
            List.of("inspect", "--model=" + model, "--data_file=" + bad),
            List.of("inspect", "--model=" + model, "--data_file=" + broken),
            List.of("inspect", "--debug", "--model=" + model, "--data_file=" + bad));
    for (List<String> command : commands) {
      assertThat(pipe(command.toArray(String[]::new))).as("%s", command).isBetween(1, 2);
      assertThat(err.toString(StandardCharsets.UTF_8)).startsWith("error: ");
      assertHarmless();
      err.reset();
    }
    Files.writeString(
        model.resolve("chat_template.jinja"),
        "{{ raise_exception('\u001b[2J\u202e' + messages[0].content) }}");
    assertThat(pipe("generate", "--model=" + model, "--prompt=" + EVIL)).isEqualTo(1);
    assertThat(err.toString(StandardCharsets.UTF_8)).contains("\\u001b[2J\\u202e");
    assertHarmless();
    Files.writeString(
        model.resolve("config.json"), "{\"model_type\": \"\\u001b[2J\\u202e\\nerror: fake\"}");
    err.reset();
    assertThat(pipe("inspect", "--model=" + model, "--data_file=" + pairs)).isBetween(0, 2);
    assertThat(pipe("generate", "--model=" + model, "--prompt=a")).isBetween(1, 2);
    assertHarmless();
  }

  @Test
  void notesWarningsBarsAndLinesOfLibrariesAreHarmless() {
    Console console = Console.of(out, true, err, true, Map.of());
    RunOutput output =
        new RunOutput(console.out(), console.err(), new TerminalProgress(console), text -> text);
    output.note(EVIL);
    output.warn(EVIL);
    output.out().println(EVIL);
    output.err().printf("%s%n", EVIL.replace("\nerror: fake", ""));
    SafePrintStream.on(console.err()).println(new IllegalStateException(CLEAR));
    assertThat(err.toString(StandardCharsets.UTF_8).lines()).noneMatch(l -> l.startsWith("error:"));
    assertHarmless();
    output.progress().update("read " + EVIL, 0, 10, EVIL);
    assertThat(err.toString(StandardCharsets.UTF_8)).contains("read \\u001b[2J");
    assertHarmless();
  }

  /** No line of data passes for a message, and nothing acts but the bars of this program. */
  private void assertHarmless() {
    for (ByteArrayOutputStream stream : List.of(out, err)) {
      String text =
          COLOURS
              .matcher(stream.toString(StandardCharsets.UTF_8).replace("\r\u001b[K", ""))
              .replaceAll("$1");
      assertThat(active(text)).isEmpty();
      assertThat(text.lines().skip(1)).noneMatch(line -> line.startsWith("error: fake"));
    }
  }

  private static List<String> active(String text) {
    return ACTIVE.matcher(text).results().map(found -> found.group()).toList();
  }

  /** The HTML of a card, and its links and images beside those of every card. */
  private static List<String> markup(String card) {
    List<String> found = new ArrayList<>();
    Parser.builder()
        .build()
        .parse(card.substring(card.indexOf("\n---\n", 4) + 5))
        .accept(
            new AbstractVisitor() {
              @Override
              public void visit(HtmlBlock html) {
                found.add(html.getLiteral());
              }

              @Override
              public void visit(HtmlInline html) {
                found.add(html.getLiteral());
              }

              @Override
              public void visit(Link link) {
                if (!link.getDestination().equals("https://arxiv.org/abs/2305.18290")) {
                  found.add(link.getDestination());
                }
              }

              @Override
              public void visit(Image image) {
                if (!image.getDestination().equals("curves.png")) {
                  found.add(image.getDestination());
                }
              }
            });
    return found;
  }

  private int terminal(String... words) {
    return run(Console.of(out, true, err, true, Map.of()), words);
  }

  private int pipe(String... words) {
    return run(Console.of(out, false, err, false, Map.of()), words);
  }

  private static int run(Console console, String... words) {
    return new Main(Runner.on(console), console).run(words);
  }
}
