package org.dpo4j.model;

import java.util.ArrayList;
import java.util.List;
import org.bytedeco.pytorch.Tensor;
import org.dpo4j.torch.TensorScope;
import org.dpo4j.torch.Tensors;

/**
 * The loss that keeps a router from preferring few experts: E sum f p over the experts, where f is
 * how often an expert is among those chosen per token and p the mean of its softmax probability,
 * both over all tokens and layers. Fedus et al. 2021, arXiv 2101.03961, equations 4 to 6. Gradients
 * flow through p alone.
 *
 * @param experts E
 * @param chosen number of experts that a token takes
 * @param coefficient factor in the loss of training
 */
public record RouterLoss(int experts, int chosen, double coefficient) {

  /** Takes the logits of each router in a pass. */
  public interface LogitsSink {
    /** Takes the logits of a layer, shape (rows, experts). */
    void add(Node logits);
  }

  /** The logits of the routers of one pass, in the order of the layers, for autograd. */
  public static final class CollectedLogits implements LogitsSink, AutoCloseable {
    private final List<Tensor> logits = new ArrayList<>(); // outlive the scopes of their layers

    @Override
    public void add(Node layer) {
      logits.add(TensorScope.ownedHandle(layer.value()));
    }

    @Override
    public void close() {
      logits.forEach(Tensors::free);
      logits.clear();
    }
  }

  /**
   * Computes the loss, without the coefficient.
   *
   * @param collected of the layers of a pass, all tokens each
   * @param weights how often each token counts, shape (tokens)
   * @return scalar
   */
  public Tensor of(CollectedLogits collected, double[] weights) {
    Tensor logits = Tensors.cat(collected.logits, 0); // (layers x tokens, experts)
    Tensor probabilities = logits.softmax(-1);
    Tensor one = Tensors.like(logits, weights);
    Tensor weight = one.repeat(collected.logits.size()).unsqueeze(1);
    Tensor total = weight.sum();
    Tensor frequency = hits(probabilities.detach()).mul(weight).sum(0).div(total);
    Tensor mean = probabilities.mul(weight).sum(0).div(total);
    return frequency.mul(mean).sum().mul(Tensors.scalar((double) experts));
  }

  /** 1 for the experts that are chosen, else 0: shape (rows, experts) in and out. */
  Tensor hits(Tensor probabilities) {
    return Tensors.zerosLike(probabilities, probabilities.shape())
        .scatter(1, probabilities.topk(chosen).get1(), Tensors.scalar(1));
  }
}
