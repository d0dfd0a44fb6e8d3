package org.dpo4j.model;

import java.util.ArrayList;
import java.util.List;
import org.bytedeco.pytorch.LongOptional;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorVector;
import org.bytedeco.pytorch.global.torch;
import org.dpo4j.torch.Tensors;

/**
 * The gated delta rule of Qwen3.5. Each head has a matrix S, which is zero at first, and a token
 * changes it and reads it:
 *
 * <pre>
 * S  becomes  d S + k^T b (v - k d S)      d = exp(-rate softplus(a + bias)), b in (0, 1)
 * y = q S
 * </pre>
 *
 * <p>Queries q, keys k and values v come out of a short convolution with an activation; q and k
 * have length 1, and q is divided by the root of its width. The output of a head is normalized and
 * multiplied by silu(z). Yang et al. 2024, arXiv 2412.06464.
 *
 * <p>Tokens are read in pieces. In a piece of n tokens, with D the products of decays from each
 * token to each later one, the changes U of all tokens solve one triangular system of n rows,
 *
 * <pre>
 * (I + strictly lower part of (b K K^T * D)) U = b V - b e K S
 * </pre>
 *
 * <p>where e is the product of decays from the start of the piece on.
 *
 * @param heads numbers and widths
 * @param convolution of queries, keys and values
 * @param activation after the convolution
 * @param logRate logarithm of the rate of each value head, shape (valueHeads)
 * @param decayBias shape (valueHeads)
 * @param norm of the output of a head
 */
public record GatedDeltaRule(
    Heads heads,
    CausalConvolution convolution,
    Activation activation,
    Tensor logRate,
    Tensor decayBias,
    RmsNorm norm)
    implements Recurrence {

  /** More tokens in a piece make fewer but larger systems; the result is the same. */
  private static final int PIECE = 64;

  private static final double EPSILON = 1e-6;

  /**
   * Numbers and widths of heads.
   *
   * @param keys number of query heads, and of key heads
   * @param keyWidth of a query or key
   * @param values number of value heads; a multiple of the number of key heads
   * @param valueWidth of a value
   */
  public record Heads(int keys, int keyWidth, int values, int valueWidth) {

    /** Width of the queries of a token, and of its keys. */
    public int allKeys() {
      return keys * keyWidth;
    }

    /** Width of the values of a token, of z, and of the output. */
    public int allValues() {
      return values * valueWidth;
    }

    /** Width of queries, keys and values together. */
    public int convolved() {
      return 2 * allKeys() + allValues();
    }
  }

  /**
   * Takes the weights.
   *
   * @param path of the layer, with a dot at the end
   * @param kernel of the convolution
   * @param epsilon of the norm
   */
  public static GatedDeltaRule take(
      Parameters parameters,
      ParameterSource source,
      String path,
      Heads heads,
      int kernel,
      Activation activation,
      double epsilon) {
    return new GatedDeltaRule(
        heads,
        CausalConvolution.take(
            parameters, source, path + "conv1d", heads.convolved(), kernel, false),
        activation,
        parameters.take(source, path + "A_log", ParameterSource.Kind.LOG_RATE, heads.values()),
        parameters.take(source, path + "dt_bias", ParameterSource.Kind.BIAS, heads.values()),
        RmsNorm.take(parameters, source, path + "norm", heads.valueWidth(), 0, epsilon));
  }

  @Override
  public List<Tensor> start(Tensor like) {
    return List.of(
        convolution.start(like),
        Tensors.zerosLike(like, 1, heads.values(), heads.keyWidth(), heads.valueWidth()));
  }

  /**
   * Reads tokens.
   *
   * @param input the channels of q, k and v, then z, then b and a of each value head, before the
   *     sigmoid of b
   */
  @Override
  public Result read(Tensor input, List<Tensor> state) {
    TensorVector parts =
        input.split_with_sizes(
            new long[] {heads.convolved(), heads.allValues(), heads.values(), heads.values()}, -1);
    CausalConvolution.Convolved convolved = convolution.apply(parts.get(0), state.get(0));
    TensorVector qkv =
        activation
            .apply(convolved.output())
            .split_with_sizes(new long[] {heads.allKeys(), heads.allKeys(), heads.allValues()}, -1);
    Tensor query = shared(unit(byHead(qkv.get(0), heads.keys())));
    Tensor decay =
        torch.softplus(parts.get(3).add(decayBias)).mul(logRate.exp()).neg(); // its logarithm
    TensorVector queries =
        pieces(query.mul(Tensors.scalar(1 / Math.sqrt((double) heads.keyWidth()))));
    TensorVector keys = pieces(shared(unit(byHead(qkv.get(1), heads.keys()))));
    TensorVector values = pieces(byHead(qkv.get(2), heads.values()));
    TensorVector betas = pieces(parts.get(2).sigmoid().transpose(1, 2).unsqueeze(3));
    TensorVector decays = pieces(decay.transpose(1, 2));
    Tensor matrix = state.get(1);
    List<Tensor> outputs = new ArrayList<>();
    for (long i = 0; i < queries.size(); i++) {
      Piece piece =
          Piece.read(
              queries.get(i), keys.get(i), values.get(i), betas.get(i), decays.get(i), matrix);
      outputs.add(piece.output());
      matrix = piece.matrix();
    }
    Tensor output = Tensors.cat(outputs, 2).transpose(1, 2); // (sequences, tokens, heads, width)
    Tensor gate = torch.silu(parts.get(1)).reshape(output.shape());
    Tensor gated = norm.apply(Node.of(output)).value().mul(gate);
    return new Result(gated.flatten(2, 3), List.of(convolved.window(), matrix));
  }

  /**
   * What some tokens gave.
   *
   * @param output shape (sequences, heads, tokens, valueWidth)
   * @param matrix shape (sequences, heads, keyWidth, valueWidth)
   */
  private record Piece(Tensor output, Tensor matrix) {

    /** All of shape (sequences, heads, tokens, ...), the logarithms of decays without a width. */
    static Piece read(
        Tensor query, Tensor key, Tensor value, Tensor beta, Tensor decay, Tensor matrix) {
      int tokens = (int) query.size(2);
      Tensor sinceStart = decay.cumsum(2);
      Tensor untilEnd = sinceStart.narrow(2, tokens - 1L, 1).sub(sinceStart).exp().unsqueeze(3);
      Tensor between =
          sinceStart
              .unsqueeze(3)
              .sub(sinceStart.unsqueeze(2))
              .add(CausalMask.of(tokens, tokens, AttentionLayer.ALL, query))
              .exp();
      Tensor fromStart = sinceStart.exp().unsqueeze(3);
      Tensor keysAcross = key.transpose(2, 3);
      Tensor weighted = key.mul(beta);
      Tensor system = weighted.matmul(keysAcross).mul(between); // its diagonal counts as 1
      Tensor wanted = value.mul(beta).sub(weighted.mul(fromStart).matmul(matrix));
      Tensor changes = torch.linalg_solve_triangular(system, wanted, false, true, true);
      Tensor output =
          query
              .mul(fromStart)
              .matmul(matrix)
              .add(query.matmul(keysAcross).mul(between).matmul(changes));
      Tensor whole = fromStart.narrow(2, tokens - 1L, 1); // the decay of the whole piece
      return new Piece(
          output, matrix.mul(whole).add(key.mul(untilEnd).transpose(2, 3).matmul(changes)));
    }
  }

  /** Cuts the dimension of the tokens. */
  private static TensorVector pieces(Tensor states) {
    return states.split(PIECE, 2);
  }

  /** (sequences, tokens, heads x width) to (sequences, heads, tokens, width). */
  private static Tensor byHead(Tensor states, int heads) {
    return states.unflatten(2, new long[] {heads, states.size(2) / heads}).transpose(1, 2);
  }

  /** Each query or key head serves neighbouring value heads. */
  private Tensor shared(Tensor states) {
    int repeats = heads.values() / heads.keys();
    return repeats == 1
        ? states
        : states.repeat_interleave(repeats, Tensors.optionalLong(1), new LongOptional());
  }

  private static Tensor unit(Tensor states) {
    Tensor squares = states.square().sum(new long[] {-1}, true, Tensors.noType());
    return states.mul(squares.add(Tensors.scalar(EPSILON)).rsqrt());
  }
}
