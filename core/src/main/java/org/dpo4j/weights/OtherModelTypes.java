package org.dpo4j.weights;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** What the models of transformers are that are not read, by {@code model_type}. */
final class OtherModelTypes {

  private static final Map<String, List<String>> TYPES = new LinkedHashMap<>();

  static {
    TYPES.put(
        "it is an encoder-decoder, which reads the prompt and writes the answer with two stacks",
        List.of(
            "bart",
            "blenderbot",
            "m2m_100",
            "marian",
            "mbart",
            "mt5",
            "pegasus",
            "t5",
            "t5gemma",
            "umt5",
            "whisper"));
    TYPES.put(
        "it is an encoder, which does not write text",
        List.of(
            "albert",
            "bert",
            "deberta",
            "deberta-v2",
            "distilbert",
            "electra",
            "modernbert",
            "roberta",
            "xlm-roberta"));
    TYPES.put(
        "its positions are biases of the attention scores (ALiBi)",
        List.of("bloom", "mpt", "baichuan"));
    TYPES.put(
        "it has recurrent layers, as Mamba",
        List.of(
            "bamba",
            "falcon_h1",
            "falcon_mamba",
            "jamba",
            "mamba",
            "mamba2",
            "minimax",
            "nemotron_h",
            "olmo_hybrid",
            "qwen3_5_moe",
            "qwen3_next",
            "recurrent_gemma",
            "rwkv",
            "xlstm",
            "zamba",
            "zamba2"));
    TYPES.put("it has experts beside its convolutions", List.of("lfm2_moe"));
    TYPES.put(
        "it is a mixture of experts with a router or attention that is not read yet",
        List.of(
            "dbrx",
            "deepseek_v2",
            "deepseek_v3",
            "dots1",
            "ernie4_5_moe",
            "flex_olmo",
            "glm4_moe",
            "granitemoeshared",
            "hunyuan_v1_moe",
            "jetmoe",
            "exaone_moe",
            "longcat_flash",
            "phimoe"));
    TYPES.put("it has latent attention (MLA)", List.of("minicpm3"));
    TYPES.put(
        "it reads images or sound beside text",
        List.of(
            "aya_vision",
            "chameleon",
            "gemma3n",
            "idefics2",
            "idefics3",
            "internvl",
            "llama4",
            "llava",
            "llava_next",
            "llava_onevision",
            "mllama",
            "paligemma",
            "phi4_multimodal",
            "qwen2_audio",
            "qwen2_5_omni",
            "smolvlm"));
    TYPES.put("its MLP has an activation with trained parameters (xIELU)", List.of("apertus"));
    TYPES.put("its weights are ternary", List.of("bitnet"));
    TYPES.put(
        "its code is in its repository, not in transformers (trust_remote_code)",
        List.of("chatglm", "deepseek", "internlm", "internlm2", "minicpm", "qwen"));
  }

  private OtherModelTypes() {}

  /** What a model type is that explains why it is not read; empty if nothing is known of it. */
  static Optional<String> reason(String modelType) {
    return TYPES.entrySet().stream()
        .filter(entry -> entry.getValue().contains(modelType))
        .map(Map.Entry::getKey)
        .findFirst();
  }
}
