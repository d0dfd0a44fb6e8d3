package org.dpo4j.model;

import java.util.List;
import org.bytedeco.pytorch.DoubleOptional;
import org.bytedeco.pytorch.LongOptional;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.dpo4j.torch.Tensors;
import org.jspecify.annotations.Nullable;

/**
 * softmax(scale Q K^T + mask) V, which autograd records: by libtorch's kernel, or by the definition
 * for a layer with a cap or with sinks, which the kernel does not have.
 */
final class ScaledDotProduct {

  private ScaledDotProduct() {}

  /**
   * Computes attention.
   *
   * @param query shape (batch, heads, queries, headDim); query heads that share a key head may be
   *     queries of it
   * @param key shape (batch, kvHeads, keys, headDim); kvHeads divides heads
   * @param value shape (batch, kvHeads, keys, headDim)
   * @param mask added to the scores, broadcast to their shape; null for a causal mask, with as many
   *     queries as keys
   * @return shape of the query
   */
  static Tensor attend(
      AttentionLayer layer, Tensor query, Tensor key, Tensor value, @Nullable Tensor mask) {
    boolean grouped = query.size(1) != key.size(1);
    if (layer.plain()) {
      return torch.scaled_dot_product_attention(
          query,
          key,
          value,
          mask == null ? Tensors.none() : Tensors.optional(mask),
          0.0,
          mask == null,
          new DoubleOptional(layer.scale()),
          grouped);
    }
    long repeats = query.size(1) / key.size(1);
    Tensor keys =
        grouped ? key.repeat_interleave(repeats, Tensors.optionalLong(1), new LongOptional()) : key;
    Tensor values =
        grouped
            ? value.repeat_interleave(repeats, Tensors.optionalLong(1), new LongOptional())
            : value;
    Tensor scores = query.matmul(keys.transpose(2, 3)).mul(Tensors.scalar(layer.scale()));
    if (layer.cap() != 0) {
      Tensor cap = Tensors.like(query, layer.cap());
      scores = scores.div(cap).tanh().mul(cap);
    }
    scores =
        scores.add(
            mask == null
                ? CausalMask.of((int) query.size(2), (int) key.size(2), AttentionLayer.ALL, query)
                : mask);
    return weights(layer, scores).matmul(values);
  }

  /** The softmax; a sink takes its part of it and has no value. */
  private static Tensor weights(AttentionLayer layer, Tensor scores) {
    if (layer.sinks() == null) {
      return scores.softmax(-1);
    }
    long heads = scores.size(1);
    Tensor sinks = layer.sinks();
    Tensor column =
        heads == sinks.numel() ? sinks.view(1, heads, 1, 1) : sinks.view(1, heads, -1, 1);
    Tensor all =
        Tensors.cat(List.of(scores, column.expand(scores.size(0), heads, scores.size(2), 1)), -1);
    return all.softmax(-1).narrow(-1, 0, scores.size(3));
  }
}
