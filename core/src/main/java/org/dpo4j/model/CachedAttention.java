package org.dpo4j.model;

import java.util.ArrayList;
import java.util.List;
import org.bytedeco.pytorch.DoubleOptional;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.dpo4j.torch.TensorScope;
import org.dpo4j.torch.Tensors;

/**
 * Causal attention over one growing sequence, for generation. Keys and values of earlier calls are
 * cached, so each new token costs one row. It has no gradients.
 */
public final class CachedAttention implements Attention, AutoCloseable {

  private final List<Tensor> keys =
      new ArrayList<>(); // by layer: (cached tokens, kvHeads, headDim)
  private final List<Tensor> values = new ArrayList<>(); // by layer: as the keys

  @Override
  public Tensor attend(AttentionLayer layer, Tensor query, Tensor key, Tensor value) {
    Tensor allKeys = append(keys, layer.number(), key);
    Tensor allValues = append(values, layer.number(), value);
    int seen = (int) allKeys.size(0);
    // The first call has many tokens and is causal. Later calls have one token.
    boolean first = seen == query.size(0);
    if (!first && query.size(0) != 1) {
      throw new IllegalArgumentException(
          "after the first call, a call must have one token but had " + query.size(0));
    }
    boolean narrow = layer.window() < seen;
    int from = narrow && !first ? seen - layer.window() : 0;
    boolean masked = narrow && first;
    return torch
        .scaled_dot_product_attention(
            query.transpose(0, 1).unsqueeze(0),
            Tensors.rows(allKeys, 0, from, seen).transpose(0, 1).unsqueeze(0),
            Tensors.rows(allValues, 0, from, seen).transpose(0, 1).unsqueeze(0),
            masked
                ? Tensors.optional(CausalMask.of(seen, seen, layer.window(), query))
                : Tensors.none(),
            0.0,
            first && !masked,
            new DoubleOptional(layer.scale()),
            query.size(1) != key.size(1))
        .squeeze(0)
        .transpose(0, 1);
  }

  private static Tensor append(List<Tensor> cache, int layer, Tensor states) {
    try (TensorScope scope = TensorScope.open()) {
      if (layer == cache.size()) {
        cache.add(scope.disown(states.detach().clone()));
      } else {
        Tensor before = cache.get(layer);
        cache.set(layer, scope.disown(Tensors.cat(List.of(before, states), 0)));
        Tensors.free(before);
      }
    }
    return cache.get(layer);
  }

  @Override
  public void close() {
    keys.forEach(Tensors::free);
    values.forEach(Tensors::free);
    keys.clear();
    values.clear();
  }
}
