package org.dpo4j.weights;

import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.dpo4j.model.decoder.DecoderConfig;

/** Models of text and images, of which the text model is read. */
final class Wrappers {

  /** A text model in a wrapper, and the sizes that its config class has where a key is absent. */
  private record Text(ModelFamily family, Map<String, Integer> sizes) {

    private static final List<String> SIZES =
        List.of(
            "vocab_size",
            "hidden_size",
            "intermediate_size",
            "num_hidden_layers",
            "num_attention_heads");

    static Text of(ModelFamily family, int... sizes) {
      Map<String, Integer> byKey = new HashMap<>();
      for (int i = 0; i < sizes.length; i++) {
        byKey.put(SIZES.get(i), sizes[i]);
      }
      return new Text(family, byKey);
    }

    static Text of(String modelType, int... sizes) {
      return Stream.of(LlamaFamilies.ALL, GemmaFamilies.ALL)
          .flatMap(List::stream)
          .filter(family -> family.modelType().equals(modelType))
          .map(family -> of(family, sizes))
          .findFirst()
          .orElseThrow();
    }
  }

  /**
   * How weights are named.
   *
   * @param path of the text model, with the names of transformers' module
   * @param inFiles as in {@link WeightRules}
   * @param otherTowers as in {@link WeightRules}
   */
  private record Names(String path, Map<String, String> inFiles, Set<String> otherTowers) {

    static final Names LLAVA =
        new Names(
            "model.language_model.",
            Map.of(
                "model.language_model.",
                "language_model.model.",
                "lm_head.",
                "language_model.lm_head."),
            Set.of(
                "vision_tower.",
                "multi_modal_projector.",
                "model.vision_tower.",
                "model.multi_modal_projector."));

    static final Names QWEN2 =
        new Names(
            "model.language_model.",
            Map.of("model.language_model.", "model."),
            Set.of("visual.", "model.visual."));

    static final Names QWEN3 =
        new Names("model.language_model.", Map.of(), Set.of("model.visual."));

    static final Names QWEN3_5 =
        new Names("model.language_model.", Map.of(), Set.of("model.visual.", "mtp."));

    static final Names SMOL =
        new Names("model.text_model.", Map.of(), Set.of("model.vision_model.", "model.connector."));
  }

  /** When the head is the embedding table. */
  private enum Tying {
    /** By {@code tie_word_embeddings} beside {@code text_config}, or else not. */
    OUTSIDE,
    /** By {@code tie_word_embeddings} beside {@code text_config} or in it. */
    ANYWHERE,
    /** As {@link #OUTSIDE}, but where it is not given, and if the file has no other head. */
    UNLESS_IN_FILE
  }

  /**
   * A wrapper.
   *
   * @param texts text models by {@code text_config.model_type}, the first where that is absent; a
   *     single one is read whatever the name
   * @param flat whether the keys of the text model may stand beside those of the wrapper
   */
  record Wrapper(
      String modelType,
      String architecture,
      Names names,
      Tying tying,
      List<Text> texts,
      boolean flat)
      implements ModelType {

    @Override
    public ModelPlan plan(HuggingFaceConfig config) {
      config.withoutEffect(OF_IMAGES);
      HuggingFaceConfig given = config.section(HuggingFaceConfig.TEXT).orElse(flat ? config : null);
      if (given == null) {
        throw config.mustBe(HuggingFaceConfig.TEXT, "given, with the keys of the text model");
      }
      Text text = text(given);
      HuggingFaceConfig keys = given.withDefaults(text.sizes());
      // The wrapper's head is a matrix, without the factor or cap of a model of this family.
      boolean tied = tied(config, given);
      DecoderConfig decoder =
          text.family()
              .decoder(keys)
              .moved("model.", names.path)
              .with(d -> d.head = d.head.withTied(tied).withScale(1).withCap(0));
      return new ModelPlan(
          decoder,
          new WeightRules(
              names.inFiles,
              Pattern.compile(text.family().defaults().buffers),
              tied
                  ? Optional.of(
                      new WeightRules.TiedHead(
                          "lm_head.weight",
                          decoder.embedding().table(),
                          tying == Tying.UNLESS_IN_FILE))
                  : Optional.empty(),
              names.otherTowers));
    }

    private Text text(HuggingFaceConfig given) {
      Text first = texts.get(0);
      if (texts.size() == 1) {
        return first;
      }
      String type = given.text("model_type", first.family().modelType());
      return texts.stream()
          .filter(text -> text.family().modelType().equals(type))
          .findFirst()
          .orElseThrow(
              () ->
                  given.notSupported(
                      "model_type",
                      String.join(
                          ", ", texts.stream().map(text -> text.family().modelType()).toList())));
    }

    private boolean tied(HuggingFaceConfig config, HuggingFaceConfig text) {
      String key = "tie_word_embeddings";
      boolean outside = config.flag(key, tying == Tying.UNLESS_IN_FILE);
      boolean inside = text.flag(key, false);
      return outside || (tying == Tying.ANYWHERE && inside);
    }
  }

  /** Keys beside {@code text_config} that do not change what is computed of text. */
  private static final String[] OF_IMAGES = {
    "_pad_token_id",
    "boi_token_id",
    "boi_token_index",
    "downsample_ratio",
    "eoi_token_id",
    "eoi_token_index",
    "image_seq_length",
    "image_token_id",
    "image_token_index",
    "mm_tokens_per_image",
    "multimodal_projector_bias",
    "projector_hidden_act",
    "scale_factor",
    "spatial_merge_size",
    "video_token_id",
    "vision_config",
    "vision_end_token_id",
    "vision_feature_layer",
    "vision_feature_select_strategy",
    "vision_start_token_id",
    "vision_token_id"
  };

  private static final Text LLAMA = Text.of("llama", 32_000, 4096, 11_008, 32, 32);
  private static final Text MISTRAL = Text.of("mistral", 32_000, 4096, 14_336, 32, 32);
  private static final Text MINISTRAL3 = Text.of("ministral3", 131_072, 4096, 14_336, 34, 32);
  private static final Text QWEN2 = Text.of("qwen2", 151_936, 4096, 22_016, 32, 32);
  private static final Text QWEN3 = Text.of("qwen3", 151_936, 4096, 22_016, 32, 32);
  private static final Text GEMMA3 = Text.of("gemma3_text", 262_208, 2304, 9216, 26, 8);
  private static final Text QWEN2_VL =
      Text.of(LlamaFamilies.QWEN2_VL_TEXT, 152_064, 8192, 29_568, 80, 64);
  private static final Text QWEN3_VL =
      Text.of(LlamaFamilies.QWEN3_VL_TEXT, 151_936, 4096, 22_016, 32, 32);
  private static final Text QWEN3_5 =
      Text.of(RecurrentFamilies.QWEN3_5_TEXT, 248_320, 4096, 12_288, 32, 16);

  static final List<Wrapper> ALL =
      List.of(
          new Wrapper(
              "gemma3",
              "Gemma3ForConditionalGeneration",
              Names.LLAVA,
              Tying.UNLESS_IN_FILE,
              List.of(GEMMA3),
              false),
          new Wrapper(
              "mistral3",
              "Mistral3ForConditionalGeneration",
              Names.LLAVA,
              Tying.UNLESS_IN_FILE,
              List.of(MISTRAL, MINISTRAL3, LLAMA, QWEN2, QWEN3),
              false),
          new Wrapper(
              "llava",
              "LlavaForConditionalGeneration",
              Names.LLAVA,
              Tying.ANYWHERE,
              List.of(LLAMA, MISTRAL, MINISTRAL3, QWEN2, QWEN3),
              false),
          new Wrapper(
              "internvl",
              "InternVLForConditionalGeneration",
              Names.LLAVA,
              Tying.UNLESS_IN_FILE,
              List.of(QWEN2, QWEN3, LLAMA, MISTRAL, MINISTRAL3),
              false),
          new Wrapper(
              "qwen2_vl",
              "Qwen2VLForConditionalGeneration",
              Names.QWEN2,
              Tying.ANYWHERE,
              List.of(QWEN2_VL),
              true),
          new Wrapper(
              "qwen2_5_vl",
              "Qwen2_5_VLForConditionalGeneration",
              Names.QWEN2,
              Tying.ANYWHERE,
              List.of(QWEN2_VL),
              true),
          new Wrapper(
              "qwen3_vl",
              "Qwen3VLForConditionalGeneration",
              Names.QWEN3,
              Tying.OUTSIDE,
              List.of(QWEN3_VL),
              false),
          new Wrapper(
              "qwen3_5",
              "Qwen3_5ForConditionalGeneration",
              Names.QWEN3_5,
              Tying.OUTSIDE,
              List.of(QWEN3_5),
              false),
          new Wrapper(
              "smolvlm",
              "SmolVLMForConditionalGeneration",
              Names.SMOL,
              Tying.OUTSIDE,
              List.of(LLAMA, MISTRAL, MINISTRAL3, QWEN2, QWEN3),
              false),
          new Wrapper(
              "idefics3",
              "Idefics3ForConditionalGeneration",
              Names.SMOL,
              Tying.OUTSIDE,
              List.of(LLAMA, MISTRAL, MINISTRAL3, QWEN2, QWEN3),
              false));

  private Wrappers() {}
}
