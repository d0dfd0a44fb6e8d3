package org.dpo4j.gguf;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.OutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.bytedeco.pytorch.Tensor;
import org.dpo4j.DpoException;
import org.dpo4j.batch.FlatSequences;
import org.dpo4j.config.ExportConfig;
import org.dpo4j.model.Activation;
import org.dpo4j.model.CausalLm;
import org.dpo4j.model.FlatAttention;
import org.dpo4j.report.Progress;
import org.dpo4j.report.RunOutput;
import org.dpo4j.run.ExportRun;
import org.dpo4j.torch.ElementType;
import org.dpo4j.torch.NoGrad;
import org.dpo4j.torch.TensorScope;
import org.dpo4j.torch.Tensors;
import org.dpo4j.weights.LoadedModel;
import org.dpo4j.weights.ModelFolders;
import org.dpo4j.weights.ModelReader;
import org.dpo4j.weights.StreamedModel;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledIfSystemProperty;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;

/**
 * Closes: a file in which a current llama.cpp computes another model. {@code llama_cpp.py} runs it;
 * the property names a Python that has its package.
 */
@EnabledIfSystemProperty(named = "dpo4j.llama_cpp", matches = ".+")
class CurrentLlamaCppTest {

  private static final JsonMapper JSON = JsonMapper.shared();
  private static final int PROMPTS = 20;
  private static final int TOKENS = 12;

  /** Of log-probabilities; those of each model agree with transformers to 2e-5. */
  private static final double ROUNDING = 1e-4;

  /**
   * llama.cpp has a table of GELU with 16 bits; the same table in transformers gives the same
   * differences, up to 2e-2 for these models.
   */
  private static final double GELU = 5e-2;

  /** Inputs of products have 16 bits too. */
  private static final double HALF = 5e-2;

  private static final double HALF_WITH_GELU = 0.3;

  /** With products in 16 bits a router may choose another expert. */
  private static final double OTHER_EXPERT = 2;

  @Test
  void computesTheSameLogProbabilitiesAndGreedyTokens(@TempDir Path temporary) throws IOException {
    Map<String, Double> worst = compare(temporary, "f32", ROUNDING, GELU);

    assertThat(worst).hasSizeGreaterThan(85);
  }

  /** Weights in 16 bits are not those of the checkpoint, so near ties may go the other way. */
  @Test
  void choosesTheSameTokensWithWeightsIn16Bits(@TempDir Path temporary) throws IOException {
    compare(temporary, "f16", HALF, HALF_WITH_GELU);
  }

  private static Map<String, Double> compare(
      Path temporary, String type, double usual, double withGelu) throws IOException {
    Map<String, Path> exported = exportAll(temporary, type);
    Map<String, Double> worst = new LinkedHashMap<>();
    try (Llama llama = new Llama()) {
      for (Map.Entry<String, Path> entry : exported.entrySet()) {
        Path folder = temporary.resolve("models").resolve(entry.getKey());
        try (LoadedModel loaded = ModelReader.open(folder);
            StreamedModel streamed = StreamedModel.open("model", folder)) {
          int context = GgufExport.architecture(streamed).context(streamed.decoder());
          boolean gelu =
              streamed.decoder().mlp().activation() == Activation.GELU
                  || streamed.decoder().mlp().activation() == Activation.GELU_TANH;
          boolean sparse = streamed.decoder().experts() != null;
          double found =
              difference(entry.getKey(), loaded.model(), entry.getValue(), context, llama);
          worst.put(entry.getKey(), found);
          assertThat(found)
              .as(entry.getKey())
              .isLessThan(type.equals("f16") && sparse ? OTHER_EXPERT : gelu ? withGelu : usual);
        }
      }
    }
    return worst;
  }

  /** The largest difference: of a log-probability, or of a chosen token from the best one. */
  private static double difference(
      String name, CausalLm model, Path file, int context, Llama llama) {
    int tokens = Math.max(1, Math.min(TOKENS, context / 2));
    int longest = Math.max(0, Math.min(24, context - tokens - 1));
    if (longest == 0) {
      return 0;
    }
    Random random = new Random(name.hashCode());
    List<int[]> prompts =
        IntStream.range(0, PROMPTS)
            .mapToObj(i -> random.ints(1 + random.nextInt(longest), 0, model.vocabSize()).toArray())
            .toList();
    ObjectNode job =
        JSON.createObjectNode()
            .put("model", file.toString())
            .put("tokens", tokens)
            .put("top", Math.min(model.vocabSize(), 200));
    ArrayNode all = job.putArray("prompts");
    prompts.forEach(prompt -> all.add(JSON.<JsonNode>valueToTree(prompt)));
    JsonNode answer = llama.ask(job);
    double worst = 0;
    for (int i = 0; i < prompts.size(); i++) {
      List<Integer> sequence = new ArrayList<>();
      for (int id : prompts.get(i)) {
        sequence.add(id);
      }
      int length = sequence.size();
      answer.path("ids").path(i).forEach(id -> sequence.add(id.intValue()));
      double[][] rows = logProbs(model, sequence.stream().mapToInt(Integer::intValue).toArray());
      for (Map.Entry<String, JsonNode> one : answer.path("logprobs").path(i).properties()) {
        double own = rows[length - 1][Integer.parseInt(one.getKey())];
        worst = Math.max(worst, Math.abs(own - one.getValue().doubleValue()));
      }
      for (int at = length; at < sequence.size(); at++) {
        double best = Arrays.stream(rows[at - 1]).max().orElseThrow();
        worst = Math.max(worst, best - rows[at - 1][sequence.get(at)]);
      }
    }
    return worst;
  }

  private static double[][] logProbs(CausalLm model, int[] ids) {
    FlatSequences sequences = FlatSequences.of(ids, new int[] {0});
    Tensor like = model.parameters().like();
    try (TensorScope scope = TensorScope.open();
        NoGrad noGrad = NoGrad.open()) {
      Tensor hidden =
          model.hiddenStates(
              Tensors.indices(like, sequences.ids()),
              Tensors.indices(like, sequences.positions()),
              new FlatAttention(sequences, like, model.windows()));
      Tensor logits = model.logits(hidden).to(ElementType.F64.scalarType());
      double[] all = Tensors.toDoubles(logits.sub(logits.logsumexp(new long[] {1}, true)));
      int width = model.vocabSize();
      return IntStream.range(0, all.length / width)
          .mapToObj(row -> Arrays.copyOfRange(all, row * width, (row + 1) * width))
          .toArray(double[][]::new);
    }
  }

  /** Exports all fixtures that can be; the others are refused by name. */
  private static Map<String, Path> exportAll(Path temporary, String type) throws IOException {
    Map<String, Path> files = new LinkedHashMap<>();
    PrintStream nowhere =
        new PrintStream(OutputStream.nullOutputStream(), true, StandardCharsets.UTF_8);
    RunOutput output = new RunOutput(nowhere, nowhere, Progress.NONE);
    Path out = Files.createDirectories(temporary.resolve(type));
    for (Path family : families()) {
      String name = String.valueOf(family.getFileName());
      Path folder = ExportedModels.copy(name, temporary.resolve("models"));
      Path file = out.resolve(name + ".gguf");
      try {
        ExportRun.run(
            ExportConfig.of(Map.of("model", folder, "output", file, "outtype", type)), output);
        files.put(name, file);
      } catch (DpoException e) {
        assertThat(e.getMessage())
            .containsAnyOf("cannot compute this model exactly", "has no form");
      }
    }
    return files;
  }

  private static List<Path> families() throws IOException {
    try (Stream<Path> folders = Files.list(ModelFolders.fixture("families"))) {
      return folders.sorted().toList();
    }
  }

  /** A Python process that answers one job after the other. */
  private static final class Llama implements AutoCloseable {
    private final Process process;
    private final BufferedReader answers;
    private final PrintStream jobs;

    Llama() throws IOException {
      process =
          new ProcessBuilder(
                  System.getProperty("dpo4j.llama_cpp"),
                  Path.of("src/test/python/llama_cpp.py").toAbsolutePath().toString())
              .redirectError(ProcessBuilder.Redirect.DISCARD)
              .start();
      answers =
          new BufferedReader(
              new InputStreamReader(process.getInputStream(), StandardCharsets.UTF_8));
      jobs = new PrintStream(process.getOutputStream(), true, StandardCharsets.UTF_8);
    }

    JsonNode ask(ObjectNode job) {
      try {
        jobs.println(job);
        String line = answers.readLine();
        assertThat(line).as("llama.cpp's answer about %s", job.path("model")).isNotNull();
        return JSON.readTree(line);
      } catch (IOException e) {
        throw new IllegalStateException(e);
      }
    }

    @Override
    public void close() {
      jobs.close();
      process.destroy();
    }
  }
}
