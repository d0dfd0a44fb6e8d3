package org.dpo4j.model.decoder;

import org.bytedeco.pytorch.Tensor;
import org.dpo4j.model.Node;
import org.dpo4j.torch.Tensors;

/**
 * The activation g sigmoid(alpha g) (u + 1) of gpt-oss, of gates g up to a limit and inputs u
 * within it.
 */
record ClampedActivation(double alpha, double limit) {

  /** From interleaved gates and inputs, shape (rows, 2 width), to (rows, width). */
  Node apply(Node pairs) {
    pairs.saveForBackward();
    return pairs
        .then(
            result(pairs.value()),
            gradient -> pairs.accumulateOwned(backward(pairs.value(), gradient)))
        .recomputeWith(() -> result(pairs.value()));
  }

  private Tensor result(Tensor pairs) {
    Tensor g = gate(pairs);
    return g.mul(g.mul(Tensors.scalar(alpha)).sigmoid()).mul(shifted(pairs));
  }

  /**
   * With s = sigmoid(alpha g): dg = s (1 + alpha g (1 - s)) (u + 1) dy and du = g s dy, both 0
   * beyond the limit.
   */
  private Tensor backward(Tensor pairs, Tensor gradient) {
    Tensor g = gate(pairs);
    Tensor scaled = g.mul(Tensors.scalar(alpha));
    Tensor s = scaled.sigmoid();
    Tensor slope = s.neg().add_(Tensors.scalar(1)).mul_(scaled).add_(Tensors.scalar(1)).mul_(s);
    Tensor both = Tensors.emptyLike(pairs, pairs.size(0), pairs.size(1) / 2, 2);
    both.select(2, 0).copy_(slope.mul_(shifted(pairs)).mul_(gradient).mul_(below(gates(pairs))));
    both.select(2, 1).copy_(s.mul_(g).mul_(gradient).mul_(below(inputs(pairs).abs())));
    return both.view(pairs.shape());
  }

  private Tensor gate(Tensor pairs) {
    return gates(pairs).clamp_max(Tensors.scalar(limit));
  }

  private Tensor shifted(Tensor pairs) {
    return inputs(pairs)
        .clamp(Tensors.optionalScalar(-limit), Tensors.optionalScalar(limit))
        .add(Tensors.scalar(1));
  }

  /** 1 where a number is within the limit, else 0. */
  private Tensor below(Tensor numbers) {
    return numbers.le(Tensors.scalar(limit)).to(numbers.scalar_type().intern());
  }

  private static Tensor gates(Tensor pairs) {
    return pairs.view(pairs.size(0), -1, 2).select(2, 0);
  }

  private static Tensor inputs(Tensor pairs) {
    return pairs.view(pairs.size(0), -1, 2).select(2, 1);
  }
}
