package org.dpo4j.model;

import java.util.List;

/**
 * The sizes of a model that decide what it costs: known from its config, before any weight is read.
 *
 * @param vocabSize tokens of the vocabulary
 * @param hiddenSize width of the residual stream
 * @param heads query heads
 * @param keyValueHeads key and value heads
 * @param headDim width of a head
 * @param intermediateSize width of the MLP
 * @param gated whether the MLP has a gate beside its input, as in Llama
 * @param tiedHead whether the head is the embedding table
 * @param windows how many tokens a token sees in each layer, as in {@link AttentionLayer}
 * @param blocks path of the blocks, as in {@code model.layers}
 * @param linears the linear layers of every block, biases not counted
 * @param parameters all numbers of the model, a tied head once
 */
public record ModelShape(
    int vocabSize,
    int hiddenSize,
    int heads,
    int keyValueHeads,
    int headDim,
    int intermediateSize,
    boolean gated,
    boolean tiedHead,
    List<Integer> windows,
    String blocks,
    List<Linear> linears,
    long parameters) {

  /**
   * A matrix of one block.
   *
   * @param path in the block, as in {@code self_attn.q_proj}
   * @param in width of its input
   * @param out width of its output
   */
  public record Linear(String path, long in, long out) {
    /** Numbers of the matrix. */
    public long weights() {
      return in * out;
    }
  }

  public ModelShape {
    windows = List.copyOf(windows);
    linears = List.copyOf(linears);
  }

  /** Blocks. */
  public int layers() {
    return windows.size();
  }

  /** Numbers of the matrices of one block: each is used once for every token. */
  public long blockWeights() {
    return linears.stream().mapToLong(Linear::weights).sum();
  }

  /** Numbers of the head's matrix: each is used once for every predicted token. */
  public long headWeights() {
    return (long) vocabSize * hiddenSize;
  }
}
