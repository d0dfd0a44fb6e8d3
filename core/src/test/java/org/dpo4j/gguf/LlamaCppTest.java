package org.dpo4j.gguf;

import static org.assertj.core.api.Assertions.assertThat;

import de.kherud.llama.InferenceParameters;
import de.kherud.llama.LlamaModel;
import de.kherud.llama.ModelParameters;
import de.kherud.llama.args.CacheType;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import java.util.Random;
import java.util.Set;
import java.util.TreeSet;
import java.util.function.Consumer;
import java.util.stream.Stream;
import java.util.stream.StreamSupport;
import org.dpo4j.generate.Generator;
import org.dpo4j.generate.TokenSampler;
import org.dpo4j.model.GrowingSequences;
import org.dpo4j.tokenizer.ModelTokenizer;
import org.dpo4j.torch.TensorScope;
import org.dpo4j.torch.Tensors;
import org.dpo4j.weights.LoadedModel;
import org.dpo4j.weights.ModelFolders;
import org.dpo4j.weights.ModelReader;
import org.dpo4j.weights.StreamedModel;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ObjectNode;

/**
 * Closes: a file from which llama.cpp makes another text than dpo4j from the checkpoint, or other
 * tokens of a text. The library is llama.cpp of March 2025, so that models which came later are
 * left out by name.
 */
@EnabledOnOs(
    value = {OS.LINUX, OS.MAC, OS.WINDOWS},
    architectures = {"amd64", "x86_64"},
    disabledReason = "the test's llama.cpp is not built for this machine")
class LlamaCppTest {

  /** Architectures that the library does not have. */
  private static final Set<String> NEWER =
      Set.of(
          "arcee", "exaone4", "hunyuan-dense", "jais2", "mistral3", "qwen3", "qwen3moe", "smollm3");

  /**
   * Models that the library does not read: it wants biases with the width of the hidden states, and
   * Gemma 2's numbers of layers. It reads OLMo 3 without windows.
   */
  private static final Set<String> NOT_READ =
      Set.of("ernie4_5", "internlm3", "olmo3", "plain_gemma2", "seed_oss");

  /** Their GELU comes from a table of 16 bits. */
  private static final Set<String> WITH_TABLE =
      Set.of("falcon", "gemma", "gemma3", "gpt2", "gptneox", "phi2", "starcoder", "starcoder2");

  private static final int PROMPTS = 20;
  private static final int NEW_TOKENS = 8;

  private final Path folder;

  LlamaCppTest(@TempDir Path folder) {
    this.folder = folder;
  }

  /** Two runs on one machine do not write the same library. */
  @BeforeAll
  static void unpackBesideTheClasses() throws IOException {
    Path natives = Files.createDirectories(Path.of("target", "llama"));
    System.setProperty("de.kherud.llama.tmpdir", natives.toAbsolutePath().toString());
  }

  static Stream<String> models() {
    return ExportedFamiliesTest.exported().entrySet().stream()
        .filter(entry -> !NEWER.contains(entry.getValue()) && !NOT_READ.contains(entry.getKey()))
        .map(entry -> entry.getKey());
  }

  @Test
  void whatIsLeftOutIsExported() {
    assertThat(ExportedFamiliesTest.exported().values()).containsAll(NEWER).containsAll(WITH_TABLE);
    assertThat(ExportedFamiliesTest.exported().keySet()).containsAll(NOT_READ);
  }

  /**
   * Of prompts and of the tokens after them, as text, up to the first token that is as probable as
   * another one to rounding.
   */
  @ParameterizedTest
  @MethodSource("models")
  void theMostProbableTokensAreThoseOfDpo4j(String name) throws IOException {
    Path copy = ExportedModels.copy(name, folder);
    String architecture = Objects.requireNonNull(ExportedFamiliesTest.exported().get(name));
    int compared = 0;
    int all = 0;
    try (LoadedModel loaded = ModelReader.open(copy);
        ModelTokenizer tokenizer = ModelTokenizer.load(copy)) {
      int context = context(copy);
      for (GgufType type : List.of(GgufType.F32, GgufType.F16)) {
        double close = close(architecture, type);
        Path file = ExportedModels.export(copy, type, folder.resolve(type + ".gguf"));
        try (LlamaModel llama = llama(file, 128)) {
          for (int[] prompt : prompts(tokenizer, context, loaded.model().vocabSize())) {
            int count = Math.min(NEW_TOKENS, context - prompt.length + 1);
            int sure = sure(loaded, prompt, count, close);
            all += count;
            compared += sure;
            String text = tokenizer.text().decode(prompt);
            assertThat(llama.encode(text)).containsExactly(prompt);
            assertThat(continued(llama, text, sure))
                .as("%s in %s after %s", name, type, Arrays.toString(prompt))
                .isEqualTo(continued(loaded, tokenizer, prompt, sure));
          }
        }
      }
    }
    assertThat(compared).as("of %d tokens", all).isGreaterThan(all / 2);
  }

  /** How far rounding may bring logits apart, as a share of the largest. */
  private static double close(String architecture, GgufType type) {
    if (type == GgufType.F16) {
      // Both factors of a product have 11 bits. Norms of every output make Gemma's error larger.
      return architecture.equals("gemma3") ? 1e-1 : 2e-2;
    }
    return WITH_TABLE.contains(architecture) ? 1e-2 : 1e-4; // about a hundred roundings, times ten
  }

  private static int context(Path copy) {
    try (StreamedModel model = StreamedModel.open("model", copy)) {
      return GgufExport.architecture(model).context(model.decoder());
    }
  }

  /** Prompts of several lengths whose text has these tokens again. */
  private static List<int[]> prompts(ModelTokenizer tokenizer, int context, int vocabulary) {
    Random random = new Random(1);
    List<int[]> prompts = new ArrayList<>();
    while (prompts.size() < PROMPTS) {
      int length = 1 + random.nextInt(Math.max(1, Math.min(12, context / 2)));
      // Beyond the special tokens, the first of which ends a text.
      int[] ids = random.ints(length, 3, vocabulary).toArray();
      String text = tokenizer.text().decode(ids);
      if (Arrays.equals(tokenizer.text().encode(text, false), ids)) {
        prompts.add(ids);
      }
    }
    return prompts;
  }

  /** The number of tokens until the two largest logits are closer to each other than a bound. */
  private static int sure(LoadedModel loaded, int[] prompt, int count, double close) {
    try (TensorScope scope = TensorScope.open();
        GrowingSequences sequences = new GrowingSequences(loaded.model(), 1)) {
      float[] logits = Tensors.toFloats(sequences.read(prompt));
      sequences.add();
      for (int i = 0; i < count; i++) {
        int best = 0;
        float largest = 0;
        for (int id = 0; id < logits.length; id++) {
          best = logits[id] > logits[best] ? id : best;
          largest = Math.max(largest, Math.abs(logits[id]));
        }
        float second = Float.NEGATIVE_INFINITY;
        for (int id = 0; id < logits.length; id++) {
          second = id == best ? second : Math.max(second, logits[id]);
        }
        if (logits[best] - second <= close * largest) {
          return i;
        }
        if (i + 1 < count) {
          logits = Tensors.toFloats(sequences.append(new int[] {best}));
        }
      }
      return count;
    }
  }

  private static String continued(
      LoadedModel loaded, ModelTokenizer tokenizer, int[] prompt, int count) {
    if (count == 0) {
      return "";
    }
    Set<Integer> ends = new TreeSet<>(loaded.endTokenIds());
    Generator.Completion tokens =
        new Generator(loaded.model(), ends, new TokenSampler(0, 1), 1).generate(prompt, count);
    String text = tokenizer.text().decode(tokens.ids());
    // The families' tokenizers have no special tokens: llama.cpp shows the one that ends a text.
    boolean shown = tokens.ended() && loaded.model().vocabSize() == 48;
    return shown ? text + "#" : text;
  }

  private static String continued(LlamaModel llama, String prompt, int count) {
    return count == 0
        ? ""
        : llama.complete(
            new InferenceParameters(prompt)
                .setTemperature(0)
                .setNPredict(count)
                .setCachePrompt(false));
  }

  private static LlamaModel llama(Path file, int context) {
    return new LlamaModel(
        new ModelParameters()
            .setModel(file.toString())
            .setCtxSize(context)
            .setThreads(1)
            .setCacheTypeK(CacheType.F32)
            .setCacheTypeV(CacheType.F32)
            .skipWarmup()
            .disableLog());
  }

  // --- tokens
  // ----------------------------------------------------------------------------------

  /** The pre-tokenizers that have a name, as tokenizer.json describes them. */
  enum Splitting {
    GPT2("gpt-2", false, ""),
    SMOLLM("smollm", false, ""),
    QWEN2("qwen2", false, CONTRACTIONS + WORD + "|\\p{N}" + LATE),
    DBRX("dbrx", false, CONTRACTIONS + WORD + "|\\p{N}{1,3}" + LATE),
    LLAMA3("llama-bpe", true, CONTRACTIONS + WORD + "|\\p{N}{1,3}" + LATE),
    TEKKEN("tekken", true, CASED.formatted("", "", "|\\p{N}")),
    GPT4O("gpt-4o", false, CASED.formatted(CONTRACTIONS + "?", CONTRACTIONS + "?", "|\\p{N}{1,3}"));

    private final String pre;
    private final boolean whole;
    private final String expression;

    Splitting(String pre, boolean whole, String expression) {
      this.pre = pre;
      this.whole = whole;
      this.expression = expression;
    }

    String json() {
      String bytes =
          "{\"type\": \"ByteLevel\", \"add_prefix_space\": false, \"trim_offsets\": true,"
              + " \"use_regex\": %s}";
      String first =
          "{\"type\": \"Split\", \"pattern\": {\"Regex\": \"%s\"}, \"behavior\": \"Isolated\","
              + " \"invert\": false}";
      return switch (this) {
        case GPT2 -> bytes.formatted(true);
        case SMOLLM ->
            sequence("{\"type\": \"Digits\", \"individual_digits\": true}", bytes.formatted(true));
        default ->
            sequence(first.formatted(expression.replace("\\", "\\\\")), bytes.formatted(false));
      };
    }

    private static String sequence(String first, String second) {
      return "{\"type\": \"Sequence\", \"pretokenizers\": [%s, %s]}".formatted(first, second);
    }
  }

  private static final String CONTRACTIONS = "(?i:'s|'t|'re|'ve|'m|'ll|'d)";
  private static final String WORD = "|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+";
  private static final String LATE =
      "| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";
  private static final String CASED =
      "[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]*[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]+%s"
          + "|[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]+[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]*%s"
          + "%s| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";

  @ParameterizedTest
  @EnumSource
  void tokensOfByteLevelTokenizersAreTheSame(Splitting splitting) throws IOException {
    Path copy = ExportedModels.copy("models/llama", folder);
    edit(
        copy,
        json -> {
          json.set("pre_tokenizer", JsonMapper.shared().readTree(splitting.json()));
          ((ObjectNode) json.get("model")).put("ignore_merges", splitting.whole);
        });
    requireSameTokens(copy, splitting.pre);
  }

  /** Llama 2's, which puts a blank before a text, and Gemma's. */
  @ParameterizedTest
  @ValueSource(booleans = {true, false})
  void tokensOfSentencePieceTokenizersAreTheSame(boolean prefix) throws IOException {
    Path copy = ExportedModels.copy("models/llama", folder);
    Files.delete(copy.resolve("tokenizer.json"));
    Files.copy(ModelFolders.fixture("gguf/sentencepiece.json"), copy.resolve("tokenizer.json"));
    Files.writeString(
        copy.resolve("tokenizer_config.json"),
        """
        {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>",
         "tokenizer_class": "PreTrainedTokenizerFast"}
        """);
    if (!prefix) {
      edit(
          copy,
          json -> {
            json.set("normalizer", json.path("normalizer").path("normalizers").get(1));
            json.set(
                "pre_tokenizer",
                JsonMapper.shared()
                    .readTree(
                        "{\"type\": \"Split\", \"pattern\": {\"String\": \" \"}, \"behavior\":"
                            + " \"MergedWithPrevious\", \"invert\": false}"));
          });
    }
    requireSameTokens(copy, "default");
  }

  private static void edit(Path folder, Consumer<ObjectNode> edit) throws IOException {
    Path file = folder.resolve("tokenizer.json");
    ObjectNode json = (ObjectNode) JsonMapper.shared().readTree(Files.readString(file));
    edit.accept(json);
    Files.writeString(file, json.toString());
  }

  private void requireSameTokens(Path copy, String pre) throws IOException {
    Path file = ExportedModels.export(copy, GgufType.F32, folder.resolve("tokens.gguf"));
    assertThat(GgufFile.open(file).metadata().values()).containsEntry("tokenizer.ggml.pre", pre);
    List<String> texts = texts();
    assertThat(texts).hasSizeGreaterThan(200);
    try (ModelTokenizer tokenizer = ModelTokenizer.load(copy);
        LlamaModel llama = llama(file, 64)) {
      for (String text : texts) {
        assertThat(llama.encode(text))
            .as(() -> JsonMapper.shared().writeValueAsString(text))
            .containsExactly(tokenizer.text().encode(text, false));
      }
    }
  }

  /** Blanks, line ends, numbers, many scripts, special tokens, and characters at random. */
  private static List<String> texts() throws IOException {
    JsonNode texts =
        JsonMapper.shared().readTree(Files.readString(ModelFolders.fixture("gguf/nasty.json")));
    return StreamSupport.stream(texts.spliterator(), false).map(JsonNode::asString).toList();
  }
}
