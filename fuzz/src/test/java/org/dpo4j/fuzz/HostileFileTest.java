package org.dpo4j.fuzz;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import java.util.zip.GZIPOutputStream;
import org.dpo4j.DpoException;
import org.dpo4j.data.BadRowException;
import org.dpo4j.data.ExampleReader;
import org.dpo4j.options.YamlOptions;
import org.dpo4j.tokenizer.ChatTemplate;
import org.dpo4j.tokenizer.ModelTokenizer;
import org.dpo4j.weights.Checkpoint;
import org.dpo4j.weights.LoadedModel;
import org.dpo4j.weights.ModelBlueprint;
import org.dpo4j.weights.ModelReader;
import org.dpo4j.weights.PeftAdapter;
import org.dpo4j.weights.SafetensorsFile;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Closes: a small file that takes all memory, the stack or hours. Fuzzing does not find these: each
 * needs a shape that no mutation of a valid file has.
 */
@Timeout(value = 60, unit = TimeUnit.SECONDS, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class HostileFileTest {
  private final Path folder;

  HostileFileTest(@TempDir Path folder) {
    this.folder = folder;
  }

  private Path write(String name, String text) throws IOException {
    return Files.writeString(folder.resolve(name), text);
  }

  private static void refused(Refusal.Reading reading, String... words) {
    assertThatThrownBy(reading::read)
        .isInstanceOf(DpoException.class)
        .hasMessageContainingAll(words)
        .satisfies(e -> Refusal.check(String.valueOf(e.getMessage())));
  }

  private Path safetensors(String header, int data) throws IOException {
    byte[] json = header.getBytes(UTF_8);
    ByteBuffer bytes = ByteBuffer.allocate(8 + json.length + data).order(ByteOrder.LITTLE_ENDIAN);
    return Files.write(
        folder.resolve("x.safetensors"), bytes.putLong(json.length).put(json).array());
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "{'a':{'dtype':'F32','shape':[9223372036854775807,4],'data_offsets':[0,16]}}|too large",
        "{'a':{'dtype':'F32','shape':[4],'data_offsets':[0,16]},"
            + "'b':{'dtype':'F32','shape':[4],'data_offsets':[8,24]}}|must begin at byte 16",
        "{'a':{'dtype':'F32','shape':[2],'data_offsets':[0,8]},"
            + "'b':{'dtype':'F32','shape':[2],'data_offsets':[16,24]}}|must begin at byte 8",
        "{'a':{'dtype':'F32','shape':[2],'data_offsets':[0,8]},"
            + "'a':{'dtype':'F32','shape':[4],'data_offsets':[8,24]}}|Duplicate",
        "{'a':{'dtype':'F32','shape':[8],'data_offsets':[0,32]}}|cut off",
        "{'a':{'dtype':'F32','shape':[4],'data_offsets':[0,16]}}|after its last tensor",
        "{'a':{'dtype':'F32','shape':[-1],'data_offsets':[0,24]}}|0 or more",
        "{'a':{'dtype':'F32','shape':[1e400],'data_offsets':[0,24]}}|0 or more",
        "{'a':{'dtype':'F99','shape':[6],'data_offsets':[0,24]}}|unknown dtype",
        "{'a':{'dtype':'F32','shape':[6],'data_offsets':[24,0]}}|begin, end",
      })
  void aHeaderMustMatchItsFile(String header, String words) throws IOException {
    Path file = safetensors(header.replace('\'', '"'), 24);
    refused(() -> SafetensorsFile.open(file), words);
  }

  @Test
  void aHeaderMayNotNestOrNameWithoutEnd() throws IOException {
    Path deep = safetensors("{\"a\":" + "[".repeat(1_000_000), 0);
    refused(() -> SafetensorsFile.open(deep), "not valid JSON");
    Path many = safetensors("{\"a\":[" + "[],".repeat(10_000_000) + "0]}", 0);
    refused(() -> SafetensorsFile.open(many), "not valid JSON");
    Path name = safetensors("{\"" + "a".repeat(10_000_000) + "\":1}", 0);
    refused(() -> SafetensorsFile.open(name), "not valid JSON");
    Path value =
        safetensors("{\"" + "a".repeat(40_000) + "\":\"" + "b".repeat(9_000_000) + "\"}", 0);
    refused(() -> SafetensorsFile.open(value), "must have dtype, shape and data_offsets");
  }

  @ParameterizedTest
  @ValueSource(strings = {"../x.safetensors", "/x.safetensors", "a\\\\x.safetensors", "C:x", ""})
  void anIndexNamesFilesOfItsFolder(String shard) throws IOException {
    write("model.safetensors.index.json", "{\"weight_map\":{\"a\":\"" + shard + "\"}}");
    refused(() -> Checkpoint.open(folder), "must name files in the same folder");
  }

  @Test
  void anIndexOfMissingShardsNamesTheFirst() throws IOException {
    write("model.safetensors.index.json", "{\"weight_map\":{\"a\":\"x.safetensors\"}}");
    refused(() -> Checkpoint.open(folder), "lists x.safetensors, which is missing");
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "pytorch_model.bin",
        "pytorch_model.bin.index.json",
        "consolidated.00.pth",
        "model.pt"
      })
  void aPickleIsNeverReadAndTheWayAroundItIsSaid(String name) throws IOException {
    write(name, "cos\nsystem\n(S'touch owned'\ntR.");
    write("optimizer.pt", "cos\nsystem\n(S'touch owned'\ntR.");
    refused(() -> Checkpoint.open(folder), "can run code", "save_pretrained");
    assertThat(Path.of("owned")).doesNotExist();
  }

  @Test
  void theFilesOfATrainerAreNoWeights() throws IOException {
    write("optimizer.pt", "");
    write("training_args.bin", "");
    refused(() -> Checkpoint.open(folder), "has no weights");
    write("adapter_model.bin", "");
    refused(() -> Checkpoint.openAdapter(folder), "can run code", "PEFT");
  }

  @ParameterizedTest
  @CsvSource({
    "vocab_size,9223372036854775807",
    "vocab_size,2147483647",
    "hidden_size,2147483646",
    "intermediate_size,2147483647",
    "num_hidden_layers,2147483647",
    "num_attention_heads,2147483647",
    "num_key_value_heads,2147483647",
    "head_dim,2147483646",
    "max_position_embeddings,99999999999",
    "hidden_size,1e308",
    "hidden_size,-2",
  })
  void aConfigOfImpossibleSizesIsRefusedBeforeMemoryIsTaken(String key, String size)
      throws IOException {
    String config =
        "{'model_type':'llama','vocab_size':8,'hidden_size':8,'intermediate_size':8,"
            + "'num_hidden_layers':1,'num_attention_heads':2,'%s':%s}";
    String text = config.formatted(key, size).replace('\'', '"');
    write("config.json", text.replaceFirst("\"" + key + "\":\\d+,(?=.*\"" + key + "\")", ""));
    refused(() -> ModelBlueprint.read("model", folder).shape(), key, size.substring(0, 1));
  }

  @Test
  void aConfigMayNotBeLarge() throws IOException {
    write("config.json", "{\"a\":\"" + "b".repeat(17 << 20) + "\"}");
    refused(() -> ModelBlueprint.read("model", folder), "at most", "dpo4j.limit.config_bytes");
    write("config.json", "{\"model_type\":\"" + "b".repeat(1 << 20) + "\"}");
    refused(() -> ModelBlueprint.read("model", folder), "is not supported");
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "\"target_modules\":\"(.*)*(.*)*(.*)*(.*)*x\"",
        "\"target_modules\":\"((((((((((.+)+)+)+)+)+)+)+)+)+)+x\"",
        "\"target_modules\":[\"q_proj\"],\"rank_pattern\":{\"(.*)*(.*)*(.*)*(.*)*x\":4}",
      })
  void anExpressionThatBacktracksWithoutEndIsRefused(String settings) throws IOException {
    for (Path file : Fixtures.in("adapters/llama-r8")) {
      Files.copy(file, folder.resolve(String.valueOf(file.getFileName())));
    }
    write("adapter_config.json", "{\"peft_type\":\"LORA\",\"r\":8," + settings + "}");
    Scratch base = new Scratch(Fixtures.in("families/llama_biases_tied"));
    try (LoadedModel model = ModelReader.open(base.folder())) {
      refused(() -> PeftAdapter.open("adapter", folder, model).close(), "steps");
    }
  }

  @Test
  void anExpressionMayNotBeLong() throws IOException {
    write("adapter_config.json", "{\"target_modules\":\"" + "(".repeat(1_000_000) + "\"}");
    refused(
        () -> PeftAdapter.config("adapter", folder, "llama", Set.of()), "at most 2000 characters");
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":2147483647},\"merges\":[]}}",
        "{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":-1},\"merges\":[]}}",
        "{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":99999999999999},\"merges\":[]}}",
        "{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":\"b\"},\"merges\":[]}}",
        "[]",
        "null",
        "\"\\ud800\"",
        "{\"added_tokens\":[{\"id\":2147483647,\"content\":\"a\"}],\"model\":null}",
      })
  void aTokenizerOfImpossibleIdsIsRefused(String json) throws IOException {
    write("tokenizer.json", json);
    refused(() -> ModelTokenizer.load(folder), "tokenizer.json");
  }

  @ParameterizedTest
  @ValueSource(strings = {"[", "{\"model\":", "{\"normalizer\":{\"a\":["})
  void aTokenizerMayNotNestWithoutEnd(String part) throws IOException {
    write("tokenizer.json", part.repeat(200_000));
    refused(() -> ModelTokenizer.load(folder), "tokenizer.json");
  }

  /** The first problem of a file's rows, or the refusal of the file. */
  private static void firstRow(Path file) {
    try (ExampleReader reader = ExampleReader.open(file)) {
      BadRowException problem = reader.next().orElseThrow().problem();
      if (problem != null) {
        throw problem;
      }
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"[", "{\"a\":", "{\"prompt\":[{\"content\":"})
  void aRowMayNotNestWithoutEnd(String part) throws IOException {
    Path lines = write("a.jsonl", "{\"prompt\":" + part.repeat(500_000) + "\n");
    refused(() -> firstRow(lines), "invalid JSON");
    String names = "prompt_ids,chosen_ids,rejected_ids\n";
    Path cell = write("a.csv", names + "[".repeat(100_000) + ",[1],[2]\n");
    refused(() -> firstRow(cell), "invalid JSON");
    Path array = write("a.json", "[{\"prompt\":" + part.repeat(500_000));
    refused(() -> firstRow(array), "the file ends inside the element");
  }

  @Test
  void aRowMayNotBeLongOrHoldNumbersOfAnyLength() throws IOException {
    Path line = write("a.jsonl", "{\"prompt\":\"" + "x".repeat(17 << 20) + "\"}");
    refused(() -> firstRow(line), "row too long");
    Path many = write("b.jsonl", "{\"prompt\":[" + "[],".repeat(5_000_000) + "[]]}");
    refused(() -> firstRow(many), "invalid JSON");
    Path digits = write("c.jsonl", "{\"prompt\":" + "9".repeat(5_000_000) + "}");
    refused(() -> firstRow(digits), "invalid JSON");
    String row = "prompt,chosen,rejected,weight\na,b,c,";
    Path weight = write("d.csv", row + "9".repeat(8_000_000) + "\n");
    refused(() -> firstRow(weight), "weight");
    Path exponent = write("e.csv", row + "1e999999999\n");
    refused(() -> firstRow(exponent), "weight");
  }

  @Test
  void bytesThatAreNoTextAreNamed() throws IOException {
    Path file = folder.resolve("a.jsonl");
    Files.write(
        file, "{\"prompt\":\"\u00ff\"}".getBytes(java.nio.charset.StandardCharsets.ISO_8859_1));
    refused(() -> firstRow(file), "invalid UTF-8");
    Path half = write("b.jsonl", "{\"prompt\":\"\\ud800\",\"chosen\":\"a\",\"rejected\":\"b\"}");
    refused(() -> firstRow(half), "surrogate");
    Path nul = write("c.jsonl", "{\"prompt\":\"\0\",\"chosen\":\"a\",\"rejected\":\"b\"}");
    refused(() -> firstRow(nul), "invalid JSON");
  }

  @Test
  void aPackedBombIsRefused() throws IOException {
    Path file = folder.resolve("bomb.jsonl.gz");
    byte[] lines = "\n".repeat(1 << 20).getBytes(UTF_8);
    try (OutputStream out = new GZIPOutputStream(Files.newOutputStream(file))) {
      for (int i = 0; i < 200; i++) {
        out.write(lines);
      }
    }
    refused(() -> firstRow(file), "unpacks to", "dpo4j.limit.expansion");
  }

  @Test
  void aZstdBombIsRefused() throws IOException {
    ByteArrayOutputStream frame = new ByteArrayOutputStream();
    frame.writeBytes(new byte[] {0x28, (byte) 0xb5, 0x2f, (byte) 0xfd, 0, 0x58});
    for (int i = 0; i < 4000; i++) { // blocks of one byte that stands for 128 KiB
      int header = ((128 << 10) << 3) | (1 << 1);
      frame.write(header);
      frame.write(header >> 8);
      frame.write(header >> 16);
      frame.write('\n');
    }
    Path file = folder.resolve("bomb.jsonl.zst");
    Files.write(file, frame.toByteArray());
    refused(() -> firstRow(file), "unpacks to", "dpo4j.limit.expansion");
  }

  @Test
  void yamlMayNotNestRepeatOrTag() throws IOException {
    StringBuilder bomb = new StringBuilder("a0: &a0 [x,x,x,x,x,x,x,x,x]\n");
    for (int i = 1; i < 30; i++) {
      bomb.append("a%d: &a%d [%s]\n".formatted(i, i, "*a%d,".formatted(i - 1).repeat(9)));
    }
    for (String text :
        new String[] {
          bomb.toString(),
          "a: " + "[".repeat(100_000),
          "a: " + "{a: ".repeat(100_000),
          "- ".repeat(100_000),
          "a: !!javax.script.ScriptEngineManager [x]",
          "a: &a [*a]",
          "a: 1" + ":1".repeat(100_000),
          "a: 0" + "7".repeat(500_000),
          "a: " + "x".repeat(2 << 20),
        }) {
      Path file = write("a.yaml", text);
      refused(() -> YamlOptions.read(file), "a.yaml");
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"1_1", "1", "0x1f", "1e1_1", ".1_1", "a."})
  void aTemplateMayHoldLongWords(String part) {
    refused(
        () ->
            ChatTemplate.parse("{{ " + part.repeat(200_000) + " }}", "t")
                .render(java.util.List.of(), true, java.util.Map.of()),
        "[t:1]");
  }

  @Test
  void aTemplateMayNotBeLarge() {
    refused(() -> ChatTemplate.parse("x".repeat(2 << 20), "t"), "at most 1048576 characters");
  }
}
