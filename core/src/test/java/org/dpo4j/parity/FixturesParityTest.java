package org.dpo4j.parity;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Clock;
import java.time.Instant;
import java.time.ZoneOffset;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.function.ToIntFunction;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import java.util.stream.StreamSupport;
import org.bytedeco.pytorch.Tensor;
import org.dpo4j.DpoException;
import org.dpo4j.Message;
import org.dpo4j.batch.FlatSequences;
import org.dpo4j.data.RowOrigin;
import org.dpo4j.encode.EncodedExample;
import org.dpo4j.encode.EncodingLimits;
import org.dpo4j.encode.ExampleDataset;
import org.dpo4j.encode.ExampleEncoder;
import org.dpo4j.encode.OnBadRow;
import org.dpo4j.logprob.LogProbEngine;
import org.dpo4j.logprob.LogProbTable;
import org.dpo4j.model.CausalLm;
import org.dpo4j.model.FlatAttention;
import org.dpo4j.tokenizer.ChatTemplate;
import org.dpo4j.tokenizer.ModelTokenizer;
import org.dpo4j.torch.ElementType;
import org.dpo4j.torch.NoGrad;
import org.dpo4j.torch.TensorScope;
import org.dpo4j.torch.Tensors;
import org.dpo4j.weights.Checkpoint;
import org.dpo4j.weights.LoadedModel;
import org.dpo4j.weights.ModelReader;
import org.dpo4j.weights.PeftAdapter;
import org.dpo4j.weights.SafetensorsFile;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.core.type.TypeReference;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/**
 * Closes: numbers that drift from those of the Python tools. Every file of the recorded fixtures is
 * a case, found by listing the folders, so that none is left out; at the end one table says how far
 * off each was. Some of the files are other people's and may not be part of the project.
 */
@Tag("shared")
class FixturesParityTest {
  private static final JsonMapper JSON = JsonMapper.shared();
  private static final Clock CLOCK =
      Clock.fixed(Instant.parse("2026-11-23T12:00:00Z"), ZoneOffset.UTC);
  private static final ParityTable TABLE = new ParityTable();
  private static final Path TABLE_FILE = Path.of("target/parity-table.md");

  @AfterAll
  static void printTheTable() throws IOException {
    Files.createDirectories(TABLE_FILE.toAbsolutePath().getParent());
    Files.writeString(TABLE_FILE, TABLE.text());
    System.out.println(TABLE.text());
  }

  @TestFactory
  Stream<DynamicTest> models() throws IOException {
    return cases("models", "", FixturesParityTest::model);
  }

  @TestFactory
  Stream<DynamicTest> encodedRows() throws IOException {
    return cases("encode", ".pairs.jsonl", FixturesParityTest::encode);
  }

  @TestFactory
  Stream<DynamicTest> chatTemplates() throws IOException {
    return cases("chat_templates", ".expected.json", FixturesParityTest::template);
  }

  @TestFactory
  Stream<DynamicTest> trajectories(@TempDir Path work) throws IOException {
    return cases("trajectories", ".json", file -> trajectory(file, work));
  }

  @TestFactory
  Stream<DynamicTest> adapters(@TempDir Path work) throws IOException {
    return cases("adapters", "", folder -> adapter(folder, work));
  }

  @Test
  void pairs32() throws IOException {
    List<EncodedExample> pairs =
        encoded(SharedFolder.resolve("fixtures/pairs32.jsonl"), "fixtures/models/llama").stream()
            .filter(pair -> pair.promptIds().length < 256)
            .toList();
    JsonNode expected = JSON.readTree(SharedFolder.resolve("fixtures/pairs32.llama.tokens.json"));
    List<String> lines = expected.valueStream().map(JsonNode::toString).toList();
    ids("pairs32", pairs, lines);
  }

  /** A check of one file or folder. */
  private interface Check {
    void run(Path file) throws IOException;
  }

  private static Stream<DynamicTest> cases(String folder, String suffix, Check check)
      throws IOException {
    try (Stream<Path> files = Files.list(SharedFolder.resolve("fixtures/" + folder))) {
      List<Path> found = files.filter(file -> file.toString().endsWith(suffix)).sorted().toList();
      assertThat(found).as(folder).isNotEmpty();
      return found.stream()
          .map(
              file ->
                  DynamicTest.dynamicTest(
                      folder + "/" + stem(file, suffix), () -> check.run(file)));
    }
  }

  private static String stem(Path file, String suffix) {
    String name = String.valueOf(file.getFileName());
    return name.substring(0, name.length() - suffix.length());
  }

  // models

  private static void model(Path folder) throws IOException {
    String name = "models/" + folder.getFileName();
    try (LoadedModel loaded = ModelReader.open(folder);
        TensorScope scope = TensorScope.open();
        NoGrad noGrad = NoGrad.open()) {
      SafetensorsFile file = SafetensorsFile.open(folder.resolve("expected_logits.safetensors"));
      Tensor ids =
          Tensors.empty(
              ElementType.I64,
              file.entry("input_ids").shape().stream().mapToLong(Long::longValue).toArray());
      file.copyTo("input_ids", ids);
      Tensor expected = Tensors.empty(ElementType.F32, shape(file, "logits"));
      file.copyTo("logits", expected);
      compare(
          name,
          "logits",
          1e-4,
          Tensors.toDoubles(logits(loaded.model(), Tensors.toLongs(ids))),
          Tensors.toDoubles(expected));

      JsonNode rows = JSON.readTree(folder.resolve("expected_logps.json")).get("rows");
      List<EncodedExample> pairs = new ArrayList<>();
      for (JsonNode row : rows) {
        pairs.add(
            new EncodedExample(
                new RowOrigin(name, 0, pairs.size() + 1),
                ints(row.get("prompt_ids")),
                ints(row.get("chosen_ids")),
                ints(row.get("rejected_ids"))));
      }
      LogProbTable table =
          LogProbTable.compute(LogProbEngine.cpu(), loaded.model(), pairs, 8, done -> {});
      double[] found =
          IntStream.range(0, pairs.size())
              .mapToObj(i -> new double[] {table.chosen(i), table.rejected(i)})
              .flatMapToDouble(Arrays::stream)
              .toArray();
      double[] sums =
          StreamSupport.stream(rows.spliterator(), false)
              .flatMap(row -> Stream.of(row.get("chosen_logp"), row.get("rejected_logp")))
              .mapToDouble(JsonNode::doubleValue)
              .toArray();
      compare(name, "logps", 2e-5, found, sums);
    }
  }

  private static long[] shape(SafetensorsFile file, String name) {
    return file.entry(name).shape().stream().mapToLong(Long::longValue).toArray();
  }

  private static Tensor logits(CausalLm model, long[] ids) {
    int[] prompt = Arrays.stream(ids).mapToInt(Math::toIntExact).toArray();
    FlatSequences sequences = FlatSequences.of(prompt, new int[][] {});
    Tensor like = model.parameters().all().get(0).tensor();
    return model.logits(
        model.hiddenStates(
            Tensors.longs(sequences.ids()),
            Tensors.longs(sequences.positions()),
            new FlatAttention(sequences, like, model.windows())));
  }

  // encode

  private static void encode(Path file) throws IOException {
    String name = stem(file, ".pairs.jsonl");
    String model = name.startsWith("gpt2") ? "fixtures/tokenizers/gpt2" : "fixtures/models/llama";
    ids(
        "encode/" + name,
        encoded(file, model),
        Files.readAllLines(file.resolveSibling(name + ".tokens.jsonl")));
  }

  private static List<EncodedExample> encoded(Path file, String model) {
    try (ModelTokenizer tokenizer = ModelTokenizer.load(SharedFolder.resolve(model))) {
      ExampleEncoder encoder =
          ExampleEncoder.of(tokenizer, new EncodingLimits(0, Integer.MAX_VALUE, Integer.MAX_VALUE));
      return ExampleDataset.load(file, encoder, OnBadRow.STOP).examples();
    }
  }

  /** Counts rows of which any id differs. */
  private static void ids(String name, List<EncodedExample> pairs, List<String> lines) {
    assertThat(pairs).hasSameSizeAs(lines);
    count(
        name,
        "ids",
        pairs.size(),
        i -> {
          JsonNode expected = JSON.readTree(lines.get(i));
          EncodedExample pair = pairs.get(i);
          return Arrays.equals(pair.promptIds(), ints(expected.get("prompt_ids")))
                  && Arrays.equals(pair.chosenIds(), ints(expected.get("chosen_ids")))
                  && Arrays.equals(pair.rejectedIds(), ints(expected.get("rejected_ids")))
              ? 0
              : 1;
        });
  }

  // chat templates

  private static void template(Path file) throws IOException {
    String name = stem(file, ".expected.json");
    String source = Files.readString(file.resolveSibling(name + ".jinja"));
    ChatTemplate template = ChatTemplate.parse(source, name + ".jinja").withClock(CLOCK);
    JsonNode expected = JSON.readTree(file);
    count(
        "chat_templates/" + name,
        "text",
        expected.size(),
        i -> renders(template, expected.get(i)) ? 0 : 1);
  }

  private static boolean renders(ChatTemplate template, JsonNode expected) {
    List<Map<String, Object>> turns =
        JSON.convertValue(expected.get("messages"), new TypeReference<>() {});
    List<Message> messages = turns.stream().map(Message::new).toList();
    boolean prompt = expected.get("add_generation_prompt").booleanValue();
    Map<String, Object> names = Map.of("bos_token", "<s>", "eos_token", "<|im_end|>");
    if (expected.has("error")) {
      String error = expected.get("error").stringValue();
      assertThatThrownBy(() -> template.render(messages, prompt, names))
          .isInstanceOf(DpoException.class)
          .hasMessageContaining(error);
      return true;
    }
    return template.render(messages, prompt, names).equals(expected.get("rendered").stringValue());
  }

  // adapters: read, put on their model and written again

  private static void adapter(Path folder, Path work) throws IOException {
    String name = String.valueOf(folder.getFileName());
    Path written = Files.createDirectories(work.resolve(name));
    Path model = SharedFolder.resolve("fixtures/models/" + name.replaceFirst("-.*", ""));
    try (LoadedModel loaded = ModelReader.open(model);
        PeftAdapter adapter = PeftAdapter.open("adapter", folder, loaded)) {
      adapter.write(written, loaded, ElementType.F32);
    }
    Checkpoint before = Checkpoint.openAdapter(folder);
    Checkpoint after = Checkpoint.openAdapter(written);
    assertThat(after.names()).isEqualTo(before.names());
    count(
        "adapters/" + name,
        "tensors",
        before.names().size(),
        i -> {
          String tensor = before.names().get(i);
          return Arrays.equals(values(before, tensor), values(after, tensor)) ? 0 : 1;
        });
    assertThat(JSON.readTree(written.resolve("adapter_config.json")))
        .isEqualTo(JSON.readTree(folder.resolve("adapter_config.json")));
  }

  private static double[] values(Checkpoint checkpoint, String name) {
    try (TensorScope scope = TensorScope.open()) {
      Tensor tensor =
          Tensors.empty(
              ElementType.F32,
              checkpoint.entry(name).shape().stream().mapToLong(Long::longValue).toArray());
      checkpoint.copyTo(name, tensor);
      return Tensors.toDoubles(tensor);
    }
  }

  // trajectories

  private static void trajectory(Path file, Path work) throws IOException {
    String name = stem(file, ".json");
    Path fixtures = file.resolveSibling("..").normalize();
    Path folder = Files.createDirectories(work.resolve(name));
    new TrajectoryCheck(fixtures, folder).run(name, TABLE);
  }

  // comparisons

  private static void compare(
      String name, String metric, double tolerance, double[] found, double[] expected) {
    assertThat(found).hasSameSizeAs(expected);
    double worst =
        IntStream.range(0, found.length)
            .mapToDouble(i -> Math.abs(found[i] - expected[i]) / Math.max(1, Math.abs(expected[i])))
            .max()
            .orElseThrow();
    TABLE.add(name, metric, worst, tolerance);
    assertThat(worst).as("%s of %s", metric, name).isLessThanOrEqualTo(tolerance);
  }

  private static void count(String name, String metric, int cases, ToIntFunction<Integer> wrong) {
    int differing = IntStream.range(0, cases).map(wrong::applyAsInt).sum();
    TABLE.add(name, metric, differing, 0);
    assertThat(differing).as("%s of %s that differ", metric, name).isZero();
  }

  private static int[] ints(JsonNode list) {
    return list.valueStream().mapToInt(JsonNode::intValue).toArray();
  }
}
