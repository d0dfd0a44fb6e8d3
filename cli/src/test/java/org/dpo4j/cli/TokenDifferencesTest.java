package org.dpo4j.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Closes a verb that tokenizes and does not say that TRL's ids are others. The runs are real. */
class TokenDifferencesTest {
  private static final Path EXAMPLES = Path.of("..", "examples");

  private final Path folder;

  TokenDifferencesTest(@TempDir Path folder) {
    this.folder = folder;
  }

  /** The example's file has GPT-2's pattern; Qwen2Tokenizer puts Qwen's in its place. */
  @ParameterizedTest
  @ValueSource(
      strings = {
        "train --data_file $/pairs.jsonl --output_dir $/out --max_steps 1 --max_length 64",
        "score --data_file $/pairs.jsonl --output $/scores.jsonl",
        "inspect --data_file $/pairs.jsonl",
        "plan --data_file $/pairs.jsonl --trial false",
        "generate --prompt Hello --max_new_tokens 1"
      })
  void eachVerbThatTokenizesSaysThatTransformersBuildsTheTokenizerAnew(String command)
      throws IOException {
    Path model = Files.createDirectory(folder.resolve("model"));
    try (Stream<Path> files = Files.list(EXAMPLES.resolve("tiny-chat"))) {
      for (Path file : files.toList()) {
        Files.copy(file, model.resolve(file.getFileName().toString()));
      }
    }
    List<String> rows = Files.readAllLines(EXAMPLES.resolve("pairs.jsonl"));
    Files.write(folder.resolve("pairs.jsonl"), rows.subList(1, 5));
    assertThat(run(command, model)).doesNotContain("transformers");

    Path config = model.resolve("tokenizer_config.json");
    Files.writeString(
        config,
        Files.readString(config).replace("\"TokenizersBackend\"", "\"Qwen2TokenizerFast\""));
    String found = run(command.replace("$/out", "$/again"), model);
    assertThat(found)
        .contains(
            "warning: transformers builds this tokenizer with its class Qwen2Tokenizer, which"
                + " replaces normalizer, pre_tokenizer of tokenizer.json; dpo4j uses the file as it"
                + " stands, so token ids differ from TRL's; pass --tokenizer_source transformers for"
                + " TRL's");
    if (!command.startsWith("generate")) {
      // Qwen's pattern splits the number in the last row into digits.
      assertThat(found)
          .contains("1 of 4 pairs: transformers gives a text other ids than tokenizer.json")
          .contains("(first [%s/pairs.jsonl:4])".formatted(folder));
    }
    String built = command.replace("$/out", "$/built") + " --tokenizer_source transformers";
    assertThat(run(built, model)).doesNotContain("transformers");
    if (command.startsWith("train")) {
      assertThat(Files.readString(folder.resolve("built/tokenizer.json"))).contains("\\p{N}");
      assertThat(run("score --data_file $/pairs.jsonl --output $/s.jsonl", folder.resolve("built")))
          .doesNotContain("transformers");
      run(built.replace("$/built", "$/adapter") + " --use_peft", model);
      // Its own tokenizer.json tells which ids it was trained with.
      String adapter = " --adapter " + folder.resolve("adapter");
      assertThat(run("score --data_file $/pairs.jsonl --output $/a.jsonl" + adapter, model))
          .doesNotContain("transformers");
      assertThat(run("merge --output_dir $/merged" + adapter, model))
          .contains("the merged model has the tokenizer of the adapter");
      assertThat(folder.resolve("merged/tokenizer.json"))
          .hasSameBinaryContentAs(folder.resolve("adapter/tokenizer.json"));
    }
  }

  private String run(String command, Path model) {
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    ByteArrayOutputStream err = new ByteArrayOutputStream();
    Console console = new Console(stream(out), stream(err), false);
    String[] words =
        Arrays.stream((command + " --model " + model).split(" "))
            .map(word -> word.replace("$", folder.toString()))
            .toArray(String[]::new);
    assertThat(new Main(Runner.on(console), console).run(words))
        .as(err.toString(StandardCharsets.UTF_8))
        .isZero();
    return err.toString(StandardCharsets.UTF_8);
  }

  private static PrintStream stream(ByteArrayOutputStream bytes) {
    return new PrintStream(bytes, true, StandardCharsets.UTF_8);
  }
}
