package org.dpo4j.model;

import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/**
 * The sizes of a model that determine its memory and arithmetic. They follow from its config.
 *
 * @param vocabSize number of tokens in the vocabulary
 * @param hiddenSize width of the residual stream
 * @param heads number of query heads
 * @param keyValueHeads number of key heads, and of value heads
 * @param headDim width of a head
 * @param intermediateSize width of the MLP
 * @param switches parts of a block that save activations
 * @param tiedHead whether the head is the embedding table
 * @param windows attention window of each layer, as in {@link AttentionLayer}; 0 for a layer
 *     without attention
 * @param blocks path of the blocks, as in {@code model.layers}
 * @param table path of the tokens' embedding table
 * @param head path of the head
 * @param linears the linear layers of each block that an adapter can be on, without biases
 * @param sparse the blocks with experts instead of an MLP
 * @param experts of these blocks; null for none
 * @param parameterShapes what {@code target_parameters} of an adapter can name
 * @param parameters number of weights; a tied head counts once
 */
public record ModelShape(
    int vocabSize,
    int hiddenSize,
    int heads,
    int keyValueHeads,
    int headDim,
    int intermediateSize,
    Switches switches,
    boolean tiedHead,
    List<Integer> windows,
    String blocks,
    String table,
    String head,
    List<List<LinearShape>> linears,
    Set<Integer> sparse,
    @Nullable Experts experts,
    List<ParameterShape> parameterShapes,
    long parameters) {

  /**
   * Parts of a block that save activations for the backward pass.
   *
   * @param gated whether the MLP has a gate, as in Llama
   * @param headNorms whether queries and keys are normalized, as in Qwen3
   * @param clipped whether queries, keys and values are limited, as in OLMo
   * @param parallel whether the MLP reads the input of the block, as in GPT-NeoX
   * @param normAfterAttention whether the output of attention is normalized, as in Gemma 3
   * @param normAfterMlp whether the output of the MLP is normalized, as in Gemma 3
   */
  public record Switches(
      boolean gated,
      boolean headNorms,
      boolean clipped,
      boolean parallel,
      boolean normAfterAttention,
      boolean normAfterMlp) {}

  /**
   * The experts of a block.
   *
   * @param count number of experts
   * @param chosen number of experts that a token takes
   * @param width of an expert's inner states
   * @param interleaved whether an expert's gates and inputs are one matrix, row by row in turn
   * @param shared width of the expert that all tokens take; 0 for none
   * @param loss whether training adds the loss of the routers
   */
  public record Experts(
      int count, int chosen, int width, boolean interleaved, int shared, boolean loss) {

    /** Weights of the matrices of all experts, routers and gates not counted. */
    long weights(long hidden) {
      return 3 * hidden * ((long) count * width + shared);
    }

    /** Weights that a token uses. */
    long used(long hidden) {
      long gate = shared > 0 ? hidden : 0;
      return 3 * hidden * ((long) chosen * width + shared) + hidden * count + gate;
    }

    /** Weights of the largest matrix. */
    long largest(long hidden) {
      return hidden * Math.max((interleaved ? 2L : 1L) * width, shared);
    }
  }

  /**
   * The matrix of a linear layer.
   *
   * @param path of the layer in the block, as in {@code self_attn.q_proj}
   * @param in width of its input
   * @param out width of its output
   */
  public record LinearShape(String path, long in, long out) {
    /** Number of weights. */
    public long weights() {
      return in * out;
    }
  }

  /**
   * The matrices of a block's experts, or that of a router as one expert.
   *
   * @param path in the model, as in {@code model.layers.0.mlp.experts.down_proj}
   * @param matrices their number
   * @param used number of matrices that each token uses
   * @param in width of the input
   * @param out width of the output
   */
  public record ParameterShape(String path, int matrices, int used, long in, long out) {}

  public ModelShape {
    parameterShapes = List.copyOf(parameterShapes);
    windows = List.copyOf(windows);
    sparse = Set.copyOf(sparse);
    linears = linears.stream().map(List::copyOf).toList();
  }

  /** The names of the linear layers of all blocks: the last components of their paths, sorted. */
  public Set<String> linearLayers() {
    return linears.stream()
        .flatMap(List::stream)
        .map(linear -> linear.path().substring(linear.path().lastIndexOf('.') + 1))
        .collect(Collectors.toCollection(TreeSet::new));
  }

  /** Number of blocks. */
  public int layers() {
    return windows.size();
  }

  /**
   * Whether training adds the loss of routers, which depends on the division of a step into
   * micro-batches.
   */
  public boolean hasRouterLoss() {
    return experts != null && experts.loss();
  }

  /** Number of weights in the matrices of all blocks that a token uses, once each. */
  public long usedBlockWeights() {
    long ofExperts = experts == null ? 0 : sparse.size() * experts.used(hiddenSize);
    return linears.stream().mapToLong(ModelShape::weights).sum() + ofExperts;
  }

  /** Number of weights in the matrices of the last block that a token uses. */
  public long usedLastBlockWeights() {
    int last = linears.size() - 1;
    long ofExperts = experts != null && sparse.contains(last) ? experts.used(hiddenSize) : 0;
    return weights(linears.get(last)) + ofExperts;
  }

  /** Number of weights in the matrices of all blocks, without those of routers and gates. */
  public long blockWeights() {
    long ofExperts = experts == null ? 0 : sparse.size() * experts.weights(hiddenSize);
    return linears.stream().mapToLong(ModelShape::weights).sum() + ofExperts;
  }

  /** Number of weights in the largest matrix of a block. */
  public long largestMatrix() {
    long ofExperts = experts == null ? 0 : experts.largest(hiddenSize);
    return linears.stream()
        .flatMap(List::stream)
        .mapToLong(LinearShape::weights)
        .reduce(ofExperts, Math::max);
  }

  private static long weights(List<LinearShape> block) {
    return block.stream().mapToLong(LinearShape::weights).sum();
  }

  /** Number of weights in the head's matrix; each is used once per predicted token. */
  public long headWeights() {
    return (long) vocabSize * hiddenSize;
  }
}
