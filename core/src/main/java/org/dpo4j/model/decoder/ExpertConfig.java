package org.dpo4j.model.decoder;

import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * MLPs of which each token takes a few. Shazeer et al. 2017, arXiv 1701.06538. Names are those in a
 * block.
 *
 * @param count number of experts
 * @param chosen number of experts that a token takes
 * @param width of an expert's inner states
 * @param router name of the router's matrix, without {@code .weight}
 * @param routerBias whether the router has a bias
 * @param renormalized whether the weights of a token's experts sum to 1; else they are the softmax
 *     over all experts
 * @param modules paths in transformers, as PEFT names them
 * @param storage of the experts' matrices
 * @param names of the experts' matrices: where they are apart the path of an expert, with {@code
 *     %d} for its number, and gate, up and down in it; else the two joined ones
 * @param lossCoefficient factor of the {@link org.dpo4j.model.RouterLoss} in training; 0 for none
 * @param shared an expert that all tokens take; null for none
 * @param clamp settings of the clamped activation of gpt-oss; null for the MLP's own activation
 */
public record ExpertConfig(
    int count,
    int chosen,
    int width,
    String router,
    boolean routerBias,
    boolean renormalized,
    Modules modules,
    Storage storage,
    List<String> names,
    double lossCoefficient,
    @Nullable Shared shared,
    @Nullable Clamp clamp) {

  /**
   * The modules in transformers, which may have other names in files.
   *
   * @param router has the matrix {@code weight}
   * @param experts has the matrices {@code gate_up_proj} and {@code down_proj}
   */
  public record Modules(String router, String experts) {}

  /** How the matrices of the experts are stored. */
  public enum Storage {
    /** A matrix for each expert and each of gate, up and down. */
    APART,
    /** (experts, 2 width, hidden), gate first, and (experts, hidden, width). */
    JOINED,
    /**
     * (experts, hidden, 2 width), gate and up interleaved, and (experts, width, hidden); biases.
     */
    INTERLEAVED
  }

  /**
   * An expert that all tokens take, times the sigmoid of a gate of its own.
   *
   * @param width of its inner states
   * @param path of its matrices
   * @param gate name of its gate's matrix, without {@code .weight}
   */
  public record Shared(int width, String path, String gate) {}

  /**
   * The activation min(g, limit) sigmoid(alpha min(g, limit)) (clamp(u, limit) + 1) of a gate g and
   * an input u, as in gpt-oss.
   */
  public record Clamp(double alpha, double limit) {}

  /** The same with an expert that all tokens take. */
  public ExpertConfig withShared(Shared expert) {
    return new ExpertConfig(
        count,
        chosen,
        width,
        router,
        routerBias,
        renormalized,
        modules,
        storage,
        names,
        lossCoefficient,
        expert,
        clamp);
  }

  /** The same with the clamped activation and a bias of the router. */
  public ExpertConfig withClamp(Clamp settings) {
    return new ExpertConfig(
        count,
        chosen,
        width,
        router,
        true,
        renormalized,
        modules,
        storage,
        names,
        lossCoefficient,
        shared,
        settings);
  }

  public ExpertConfig {
    names = List.copyOf(names);
    if (chosen > count) {
      throw new IllegalArgumentException(
          "num_experts_per_tok must be at most the number of experts (%d) but was %d"
              .formatted(count, chosen));
    }
  }
}
