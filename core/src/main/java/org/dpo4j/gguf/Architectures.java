package org.dpo4j.gguf;

import static java.util.Map.entry;
import static org.dpo4j.gguf.Architecture.Bias.HEAD;
import static org.dpo4j.gguf.Architecture.Bias.INPUTS;
import static org.dpo4j.gguf.Architecture.Bias.MLP_INPUTS;
import static org.dpo4j.gguf.Architecture.Bias.MLP_OUTPUT;
import static org.dpo4j.gguf.Architecture.Bias.OUTPUT;
import static org.dpo4j.gguf.Architecture.Factor.CLIP;
import static org.dpo4j.gguf.Architecture.Factor.EMBEDDING;
import static org.dpo4j.gguf.Architecture.Factor.LOGITS;
import static org.dpo4j.gguf.Architecture.Factor.LOGITS_DIVIDED;
import static org.dpo4j.gguf.Architecture.Factor.LOGIT_CAP;
import static org.dpo4j.gguf.Architecture.Factor.RESIDUAL;
import static org.dpo4j.gguf.Architecture.Factor.SCORES;
import static org.dpo4j.gguf.Architecture.Factor.SCORE_CAP;
import static org.dpo4j.gguf.Architecture.Norms.AFTER;
import static org.dpo4j.gguf.Architecture.Norms.AROUND;
import static org.dpo4j.gguf.Architecture.Norms.BEFORE;
import static org.dpo4j.gguf.Architecture.Norms.BESIDE;
import static org.dpo4j.gguf.Architecture.Norms.SHARED;
import static org.dpo4j.gguf.Architecture.Pairs.NEIGHBOURS;

import java.util.Map;
import java.util.Optional;
import java.util.TreeSet;
import java.util.function.Consumer;
import org.dpo4j.model.Activation;
import org.dpo4j.model.decoder.AttentionConfig.Scope;

/** The architecture of llama.cpp for each {@code model_type}. */
final class Architectures {

  private static final Architecture LLAMA =
      Architecture.of(
          "llama",
          a ->
              a.pairs(NEIGHBOURS)
                  .anyHeadWidth()
                  .mayHave(INPUTS, OUTPUT, MLP_INPUTS, MLP_OUTPUT)
                  .frequencyTensor()
                  .experts(true)
                  .expertsInPlaceOfMlp());

  private static final Architecture GRANITE =
      Architecture.of(
          "granite",
          a ->
              a.pairs(NEIGHBOURS)
                  .anyHeadWidth()
                  .mayHave(INPUTS, OUTPUT, MLP_INPUTS, MLP_OUTPUT)
                  .frequencyTensor()
                  .keys(SCORES, EMBEDDING, RESIDUAL, LOGITS_DIVIDED));

  private static final Architecture QWEN2 = Architecture.of("qwen2", a -> a.has(INPUTS));

  private static final Architecture QWEN3 =
      Architecture.of("qwen3", a -> a.headNorms(Scope.HEAD).anyHeadWidth());

  private static final Architecture OLMO2 =
      Architecture.of(
          "olmo2", a -> a.norms(AFTER).headNorms(Scope.ALL_HEADS).head(Architecture.Head.OWN));

  private static final Map<String, Architecture> ALL =
      Map.ofEntries(
          entry("llama", LLAMA),
          entry("mistral", LLAMA),
          entry("internlm3", LLAMA),
          entry("iquestcoder", LLAMA),
          entry("seed_oss", LLAMA),
          entry("ministral", LLAMA),
          entry("cwm", LLAMA),
          entry("helium", LLAMA),
          entry("ernie4_5", LLAMA),
          entry("mixtral", LLAMA),
          entry("qwen2", QWEN2),
          entry("qwen2_5_vl_text", QWEN2),
          entry("qwen2_vl_text", QWEN2),
          entry("qwen2_vl", QWEN2),
          entry("qwen2_5_vl", QWEN2),
          entry("qwen3", QWEN3),
          entry("qwen3_vl_text", QWEN3),
          entry("granite", GRANITE),
          entry("granitemoehybrid", GRANITE),
          entry("hyperclovax", GRANITE),
          entry("olmo2", OLMO2),
          of(
              "ministral3",
              "mistral3",
              a -> a.pairs(NEIGHBOURS).anyHeadWidth().frequencyTensor().queryScaling()),
          of(
              "arcee",
              "arcee",
              a -> a.pairs(NEIGHBOURS).frequencyTensor().mlp(false, Activation.SQUARED_RELU)),
          of("smollm3", "smollm3", a -> a.pairs(NEIGHBOURS).plainEvery(4)),
          of("phi3", "phi3", a -> a.joinedInputs().joinedGate().partly().longRope().windowKey()),
          of("olmo", "olmo", a -> a.pairs(NEIGHBOURS).plainNorms().keys(CLIP)),
          of(
              "olmo3",
              "olmo2",
              a ->
                  a.norms(AFTER).headNorms(Scope.ALL_HEADS).head(Architecture.Head.OWN).windows(4)),
          of(
              "exaone4",
              "exaone4",
              a ->
                  a.norms(AFTER)
                      .headNorms(Scope.HEAD)
                      .frequencyTensor()
                      .windows(4)
                      .windowsWith(64)
                      .rotatesInWindowsOnly()),
          of("hunyuan_v1_dense", "hunyuan-dense", a -> a.headNorms(Scope.ROTATED_HEAD)),
          of(
              "gemma",
              "gemma",
              a ->
                  a.mlp(true, Activation.GELU_TANH)
                      .rootOfWidth()
                      .anyHeadWidth()
                      .head(Architecture.Head.TIED)),
          of(
              "gemma2",
              "gemma2",
              a ->
                  a.norms(AROUND)
                      .mlp(true, Activation.GELU_TANH)
                      .rootOfWidth()
                      .head(Architecture.Head.TIED)
                      .anyHeadWidth()
                      .wideScoresWith(46)
                      .windows(2)
                      .keys(SCORE_CAP, LOGIT_CAP)),
          of(
              "gemma3_text",
              "gemma3",
              a ->
                  a.norms(AROUND)
                      .mlp(true, Activation.GELU_TANH)
                      .headNorms(Scope.HEAD)
                      .rootOfWidth()
                      .anyHeadWidth()
                      .wideScoresWith(62)
                      .windows(6)
                      .ownRopeInWindows()),
          of(
              "phi",
              "phi2",
              a ->
                  a.layerNorms()
                      .norms(SHARED)
                      .mlp(false, Activation.GELU_TANH)
                      .partly()
                      .has(INPUTS, OUTPUT, MLP_INPUTS, MLP_OUTPUT, HEAD, Architecture.Bias.NORMS)
                      .head(Architecture.Head.OWN)),
          of(
              "gpt_neox",
              "gptneox",
              a ->
                  a.layerNorms()
                      .norms(BEFORE, BESIDE)
                      .residualFlag()
                      .mlp(false, Activation.GELU_TANH)
                      .joinedInputs()
                      .partly()
                      .has(INPUTS, OUTPUT, MLP_INPUTS, MLP_OUTPUT, Architecture.Bias.NORMS)
                      .head(Architecture.Head.OWN)),
          of(
              "stablelm",
              "stablelm",
              a ->
                  a.layerNorms()
                      .norms(BEFORE, SHARED)
                      .partly()
                      .mayHave(INPUTS)
                      .has(Architecture.Bias.NORMS)
                      .head(Architecture.Head.OWN)),
          of(
              "starcoder2",
              "starcoder2",
              a ->
                  a.layerNorms()
                      .mlp(false, Activation.GELU_TANH)
                      .has(INPUTS, OUTPUT, MLP_INPUTS, MLP_OUTPUT, Architecture.Bias.NORMS)),
          of(
              "glm",
              "chatglm",
              a ->
                  a.pairs(NEIGHBOURS)
                      .partly()
                      .joinedInputs()
                      .joinedGate()
                      .mayHave(INPUTS)
                      .head(Architecture.Head.OWN)),
          of(
              "glm4",
              "glm4",
              a ->
                  a.pairs(NEIGHBOURS)
                      .norms(AROUND)
                      .partly()
                      .joinedGate()
                      .mayHave(INPUTS)
                      .head(Architecture.Head.OWN)),
          of("cohere", "command-r", Architectures::cohere),
          of("cohere2", "cohere2", a -> cohere(a).windows(4).rotatesInWindowsOnly()),
          of(
              "nemotron",
              "nemotron",
              a ->
                  a.layerNorms()
                      .mlp(false, Activation.SQUARED_RELU)
                      .partly()
                      .mayHave(INPUTS, OUTPUT, MLP_INPUTS, MLP_OUTPUT)
                      .has(Architecture.Bias.NORMS)
                      .head(Architecture.Head.OWN)),
          of(
              "falcon",
              "falcon",
              a ->
                  a.layerNorms()
                      .norms(SHARED, BESIDE)
                      .mlp(false, Activation.GELU_TANH)
                      .joinedInputs()
                      .has(Architecture.Bias.NORMS)),
          of(
              "jais2",
              "jais2",
              a ->
                  a.layerNorms()
                      .mlp(false, Activation.SQUARED_RELU)
                      .has(INPUTS, OUTPUT, MLP_INPUTS, MLP_OUTPUT, Architecture.Bias.NORMS)),
          of("gpt2", "gpt2", Architectures::gpt2),
          of("gpt_bigcode", "starcoder", Architectures::gpt2),
          of(
              "qwen2_moe",
              "qwen2moe",
              a -> a.mayHave(INPUTS).experts(false).sharedExpert().head(Architecture.Head.OWN)),
          of("qwen3_moe", "qwen3moe", a -> a.headNorms(Scope.HEAD).anyHeadWidth().experts(true)),
          of(
              "olmoe",
              "olmoe",
              a ->
                  a.headNorms(Scope.ALL_HEADS)
                      .allKeys()
                      .experts(false)
                      .head(Architecture.Head.OWN)),
          of(
              "granitemoe",
              "granitemoe",
              a ->
                  a.pairs(NEIGHBOURS)
                      .mayHave(INPUTS, OUTPUT)
                      .frequencyTensor()
                      .experts(true)
                      .keys(SCORES, EMBEDDING, RESIDUAL, LOGITS_DIVIDED)));

  private Architectures() {}

  private static Architecture gpt2(Architecture a) {
    return a.layerNorms()
        .learnedPositions()
        .mlp(false, Activation.GELU_TANH)
        .joinedInputs()
        .has(INPUTS, OUTPUT, MLP_INPUTS, MLP_OUTPUT, Architecture.Bias.NORMS)
        .head(Architecture.Head.OWN);
  }

  private static Architecture cohere(Architecture a) {
    return a.pairs(NEIGHBOURS)
        .layerNorms()
        .norms(SHARED)
        .keys(LOGITS)
        .mayHave(INPUTS, OUTPUT)
        .head(Architecture.Head.TIED);
  }

  private static Map.Entry<String, Architecture> of(
      String modelType, String name, Consumer<Architecture> changes) {
    return entry(modelType, Architecture.of(name, changes));
  }

  /** The architecture for models of a type; empty if llama.cpp has none. */
  static Optional<Architecture> of(String modelType) {
    return Optional.ofNullable(ALL.get(modelType));
  }

  /** The types that can be exported, sorted. */
  static Iterable<String> modelTypes() {
    return new TreeSet<>(ALL.keySet());
  }
}
