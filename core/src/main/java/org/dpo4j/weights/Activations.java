package org.dpo4j.weights;

import org.dpo4j.model.Activation;

/** The names of activations in configs. */
final class Activations {

  private Activations() {}

  /** The activation under a key. */
  static Activation read(HuggingFaceConfig config, String key, String fallback) {
    return switch (config.text(key, fallback)) {
      case "gelu", "gelu_python" -> Activation.GELU;
      case "gelu_new", "gelu_pytorch_tanh", "gelu_python_tanh", "gelu_fast", "gelu_accurate" ->
          Activation.GELU_TANH;
      case "quick_gelu" -> Activation.QUICK_GELU;
      case "relu" -> Activation.RELU;
      case "relu2" -> Activation.SQUARED_RELU;
      case "silu", "swish" -> Activation.SILU;
      case "tanh" -> Activation.TANH;
      default ->
          throw config.notSupported(
              key, "gelu, gelu_new, gelu_pytorch_tanh, quick_gelu, relu, relu2, silu, tanh");
    };
  }
}
