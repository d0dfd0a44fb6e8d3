package org.dpo4j.tokenizer;

import static java.nio.charset.StandardCharsets.ISO_8859_1;
import static org.dpo4j.tokenizer.TokenizerSettings.BOS;
import static org.dpo4j.tokenizer.TokenizerSettings.EOS;
import static org.dpo4j.tokenizer.TokenizerSettings.PAD;
import static org.dpo4j.tokenizer.TokenizerSettings.UNK;

import java.io.IOException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.dpo4j.options.BoundedFile;
import org.dpo4j.options.Limit;

/**
 * The class that transformers 5.23 uses for a tokenizer, by the rules of {@code
 * AutoTokenizer.from_pretrained}. Most classes use {@code tokenizer.json} as it is. Those listed
 * here read the vocabulary, the merges and the post-processor from it and rebuild the rest.
 *
 * @param name the class name in transformers, without {@code Fast}
 * @param rebuilds whether it rebuilds any part
 */
record TokenizerClass(String name, boolean rebuilds) {
  private static final String AS_IT_STANDS = "TokenizersBackend";
  private static final String END_OF_TEXT = "<|endoftext|>";

  /** The class of a model type, if it has one. */
  private static final Map<String, String> OF_MODEL_TYPE =
      Map.of(
          "gpt2", "GPT2Tokenizer",
          "gpt_neox", "GPTNeoXTokenizer",
          "mistral", AS_IT_STANDS,
          "phi3", AS_IT_STANDS,
          "qwen2", "Qwen2Tokenizer",
          "qwen3", "Qwen2Tokenizer");

  /** Model types whose class does not depend on the files. */
  private static final Set<String> FORCED = Set.of("phi3", "qwen2");

  /** Every class that does not use tokenizer.json as it is. */
  private static final Set<String> REBUILDING =
      Set.copyOf(
          Arrays.asList(
              ("Albert Barthez Bartpho Bert BertGeneration BertJapanese BertTokenizerLegacy Bertweet"
                      + " BigBird BioGpt Blenderbot BlenderbotSmall ByT5 CLIP CTRL Camembert Canine"
                      + " CodeGen CodeLlama Cohere Cpm CpmAnt Deberta DebertaV2 DistilBert Esm Esmc"
                      + " FSMT Flaubert Funnel GPT2 GPTNeoX GPTNeoXJapanese GPTSw3 Gemma Herbert"
                      + " Lasr LayoutLMv2 LayoutLMv3 LayoutXLM Llama Luke M2M100 MBart MBart50"
                      + " MLuke MPNet MarkupLM Marian MyT5 Nllb Nougat OpenAIGPT PLBart Pegasus"
                      + " Perceiver Phobert ProphetNet Qwen2 Qwen3_5 Reformer RemBert RoCBert RoFormer"
                      + " Roberta SeamlessM4T Siglip Siglip2 Splinter T5 Tipsv2 Udop VideoPrism"
                      + " Whisper XGLM XLM XLMRoberta XLNet")
                  .split(" ")));

  /** The default tokens by role of a class. */
  private static final Map<String, Map<String, String>> DEFAULT_ROLES =
      Map.of(
          "CodeLlamaTokenizer", Map.of(BOS, "<s>", EOS, "</s>", UNK, "<unk>"),
          "GPT2Tokenizer", Map.of(BOS, END_OF_TEXT, EOS, END_OF_TEXT, UNK, END_OF_TEXT),
          "GPTNeoXTokenizer",
              Map.of(BOS, END_OF_TEXT, EOS, END_OF_TEXT, UNK, END_OF_TEXT, PAD, "<|padding|>"),
          "GemmaTokenizer",
              Map.of(
                  BOS, "<bos>", EOS, "<eos>", UNK, "<unk>", PAD, "<pad>", "mask_token", "<mask>"),
          "LlamaTokenizer", Map.of(BOS, "<s>", EOS, "</s>", UNK, "<unk>"),
          "Qwen2Tokenizer", Map.of(EOS, END_OF_TEXT, UNK, END_OF_TEXT, PAD, END_OF_TEXT),
          "Qwen3_5Tokenizer", Map.of(EOS, END_OF_TEXT, UNK, END_OF_TEXT, PAD, END_OF_TEXT));

  /** The class for a model folder. */
  static TokenizerClass of(TokenizerSettings settings) {
    String type = settings.modelType();
    Optional<String> declared = settings.text("tokenizer_class");
    Optional<String> hub =
        declared
            .or(() -> TokenizerSettings.text(settings.model().path("tokenizer_class")))
            .map(TokenizerClass::withoutFast);
    Optional<String> usual = Optional.ofNullable(OF_MODEL_TYPE.get(type));
    boolean ownCode = settings.config().hasNonNull("auto_map");
    if (!ownCode && hub.isPresent()) {
      if (hub.get().equals("LlamaTokenizer") && !FORCED.contains(type) && byteLevel(settings)) {
        return named(AS_IT_STANDS);
      }
      if (usual.isPresent() && !usual.equals(hub)) {
        boolean usualWins = FORCED.contains(type) || usual.get().equals(AS_IT_STANDS);
        return named(usualWins ? usual.get() : hub.get());
      }
    }
    return named(hub.or(() -> usual).orElse(AS_IT_STANDS));
  }

  /** Whether tokenizer.json names ByteLevel anywhere. */
  private static boolean byteLevel(TokenizerSettings settings) {
    try {
      // Latin-1 decodes any bytes; the file is checked when it is loaded.
      Path file = settings.folder().resolve("tokenizer.json");
      return new String(BoundedFile.bytes(file, Limit.TOKENIZER_BYTES), ISO_8859_1)
          .contains("\"ByteLevel\"");
    } catch (IOException e) {
      return false;
    }
  }

  private static String withoutFast(String name) {
    return name.endsWith("Fast") ? name.substring(0, name.length() - 4) : name;
  }

  private static TokenizerClass named(String name) {
    String stem =
        name.endsWith("Tokenizer") ? name.substring(0, name.length() - "Tokenizer".length()) : name;
    return new TokenizerClass(name, REBUILDING.contains(stem));
  }

  /** Roles that have a default. */
  Map<String, String> defaultRoles() {
    return DEFAULT_ROLES.getOrDefault(name, Map.of());
  }

  /** Whether the class takes the flags from tokens with a role. */
  boolean plainSpecials() {
    return name.equals("Qwen2Tokenizer");
  }
}
