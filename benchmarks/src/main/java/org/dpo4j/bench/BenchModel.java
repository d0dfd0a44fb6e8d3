package org.dpo4j.bench;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import org.bytedeco.pytorch.Tensor;
import org.dpo4j.model.CausalLm;
import org.dpo4j.model.ParameterSource;
import org.dpo4j.torch.ElementType;
import org.dpo4j.torch.NoGrad;
import org.dpo4j.torch.RandomNumbers;
import org.dpo4j.torch.TensorScope;
import org.dpo4j.torch.Tensors;
import org.dpo4j.weights.HuggingFaceConfig;
import org.dpo4j.weights.ModelBlueprint;
import org.dpo4j.weights.SafetensorsWriter;

/** The Llama shapes that are measured. Random weights train as fast as good ones. */
enum BenchModel {
  TINY(64, 2, 4, 2, 128, 0, 4, 2),
  M30(384, 6, 6, 2, 1024, 50257, 8, 4),
  M135(576, 30, 9, 3, 1536, 50257, 4, 2);

  private static final List<String> TOKENIZER =
      List.of("tokenizer.json", "tokenizer_config.json", "chat_template.jinja");

  private static final double DEVIATION = 0.02; // transformers' initializer_range

  private final int hidden;
  private final int layers;
  private final int heads;
  private final int keyValueHeads;
  private final int intermediate;
  private final int vocabulary; // 0 for that of the tokenizer
  private final int dialoguePairs;
  private final int longPairs;

  BenchModel(
      int hidden,
      int layers,
      int heads,
      int keyValueHeads,
      int intermediate,
      int vocabulary,
      int dialoguePairs,
      int longPairs) {
    this.hidden = hidden;
    this.layers = layers;
    this.heads = heads;
    this.keyValueHeads = keyValueHeads;
    this.intermediate = intermediate;
    this.vocabulary = vocabulary;
    this.dialoguePairs = dialoguePairs;
    this.longPairs = longPairs;
  }

  String label() {
    return name().toLowerCase(Locale.ROOT);
  }

  /** Pairs of a step. */
  int pairs(BenchData data) {
    return data == BenchData.DIALOGUE ? dialoguePairs : longPairs;
  }

  /** Writes a random checkpoint unless the folder has one. */
  Path write(Path folder, Path tokenizer) throws IOException {
    if (Files.exists(folder.resolve("model.safetensors"))) {
      return folder;
    }
    Files.createDirectories(folder);
    for (String name : TOKENIZER) {
      if (Files.exists(tokenizer.resolve(name))) {
        Files.write(folder.resolve(name), Files.readAllBytes(tokenizer.resolve(name)));
      }
    }
    Files.writeString(
        folder.resolve("config.json"),
        config(ModelBlueprint.read("--tokenizer", tokenizer).config()));
    RandomNumbers random = new RandomNumbers(0);
    Path weights = folder.resolve("model.safetensors.tmp");
    Files.deleteIfExists(weights);
    try (CausalLm model =
        ModelBlueprint.read("--model_dir", folder)
            .build((name, kind, shape) -> initialized(random, kind, shape))) {
      Map<String, Tensor> tensors = new TreeMap<>();
      model.parameters().all().forEach(p -> tensors.put(p.name(), p.tensor()));
      SafetensorsWriter.write(weights, tensors, ElementType.F32);
    }
    Files.move(weights, folder.resolve("model.safetensors"));
    return folder;
  }

  private String config(HuggingFaceConfig tokenizer) {
    int endToken = tokenizer.tokenIds("eos_token_id").stream().findFirst().orElse(0);
    return """
        {
          "architectures": ["LlamaForCausalLM"],
          "model_type": "llama",
          "dtype": "float32",
          "hidden_act": "silu",
          "hidden_size": %d,
          "num_hidden_layers": %d,
          "num_attention_heads": %d,
          "num_key_value_heads": %d,
          "head_dim": %d,
          "intermediate_size": %d,
          "vocab_size": %d,
          "eos_token_id": %d,
          "pad_token_id": %d,
          "max_position_embeddings": 2048,
          "rms_norm_eps": 1e-06,
          "rope_theta": 10000.0,
          "tie_word_embeddings": true
        }
        """
        .formatted(
            hidden,
            layers,
            heads,
            keyValueHeads,
            hidden / heads,
            intermediate,
            vocabulary > 0 ? vocabulary : tokenizer.positiveInt("vocab_size"),
            endToken,
            endToken);
  }

  private static Tensor initialized(
      RandomNumbers random, ParameterSource.Kind kind, long... shape) {
    try (TensorScope scope = TensorScope.open();
        NoGrad noGrad = NoGrad.open()) {
      Tensor tensor = Tensors.empty(ElementType.F32, shape);
      switch (kind) {
        case MATRIX, ROUTER, EMBEDDING, SINKS, CONVOLUTION, LOG_RATE -> {
          random.normal(tensor);
          tensor.mul_(Tensors.scalar(DEVIATION));
        }
        case NORM, MAGNITUDES -> tensor.fill_(Tensors.scalar(1.0));
        case BIAS, NORM_BIAS, NORM_DIFFERENCE -> tensor.zero_();
      }
      return scope.disown(tensor);
    }
  }
}
