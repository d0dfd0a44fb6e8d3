package org.dpo4j.model;

import java.util.List;
import org.dpo4j.demo.TinyGptConfig;
import org.dpo4j.demo.TinyGptModel;
import org.dpo4j.model.llama.Llama;
import org.dpo4j.model.llama.LlamaConfig;
import org.dpo4j.torch.ElementType;
import org.dpo4j.torch.RandomNumbers;
import org.dpo4j.torch.Tensors;

/** Random models of a few thousand weights, one for each way in which attention is done here. */
public enum SmallModel {
  /** Learned positions; every head has keys of its own. */
  TINY_GPT {
    @Override
    CausalLm build(ParameterSource weights) {
      return new TinyGptModel(new TinyGptConfig(VOCABULARY, 16, 2, 2, POSITIONS), weights);
    }
  },
  /** Rotary positions; two query heads share the keys of one, and the head is tied. */
  LLAMA {
    @Override
    CausalLm build(ParameterSource weights) {
      return llama(weights, LlamaConfig.Layer.FULL, LlamaConfig.Layer.FULL);
    }
  },
  /** A layer in which a token sees five, and one that sees all but knows no positions. */
  WINDOWED {
    @Override
    CausalLm build(ParameterSource weights) {
      return llama(
          weights,
          new LlamaConfig.Layer(true, 5),
          new LlamaConfig.Layer(false, AttentionLayer.ALL));
    }
  };

  public static final int VOCABULARY = 24;
  public static final int POSITIONS = 32;
  public static final int PADDING = 3; // a token that occurs

  abstract CausalLm build(ParameterSource weights);

  private static CausalLm llama(ParameterSource weights, LlamaConfig.Layer... layers) {
    return new Llama(
        new LlamaConfig(
            VOCABULARY,
            16,
            32,
            4,
            2,
            8,
            POSITIONS,
            1e-6,
            Rope.of(10_000),
            Activation.SILU,
            LlamaConfig.Biases.NONE,
            false,
            false,
            true,
            PADDING,
            List.of(layers)),
        weights);
  }

  /** The model that a seed gives. */
  public CausalLm create(ElementType type, long seed) {
    return build(new RandomParameters(type, new RandomNumbers(seed)));
  }

  /** All weights of a model, one behind the other; equal only where every bit is. */
  public static double[] weights(CausalLm model) {
    List<double[]> parts =
        model.parameters().all().stream().map(p -> Tensors.toDoubles(p.tensor())).toList();
    return parts.stream().flatMapToDouble(java.util.Arrays::stream).toArray();
  }
}
