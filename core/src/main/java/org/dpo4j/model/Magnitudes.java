package org.dpo4j.model;

import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/**
 * The lengths of the rows of a layer's matrix V, which DoRA trains apart from their directions:
 * output i of the layer is multiplied by m_i / |V_i|. The norm is a constant in the backward pass.
 * Liu et al. 2024, arXiv 2402.09353, section 4.3.
 *
 * @param values m, shape (out), trained
 * @param norms |V_i|, shape (out), without a gradient; to be updated whenever V changes
 */
public record Magnitudes(Tensor values, Tensor norms) {

  /**
   * Scales the columns of V x and adds the layer's bias.
   *
   * @param product V x, shape (rows, out)
   * @param bias shape (out), or null for none
   */
  Node scale(Node product, @Nullable Tensor bias) {
    if (!product.taped()) {
      return product.untaped(plus(product.value().mul(values.div(norms)), bias));
    }
    product.saveForBackward();
    Tensor factors = product.tape().save(values.detach().div(norms));
    return product.then(
        plus(product.value().mul(factors), bias),
        gradient -> {
          product.accumulateOwned(gradient.mul(factors));
          if (values.requires_grad()) {
            Tensor byFactor = gradient.mul(product.value()).sum(0);
            product.tape().recordVectorGradient(values, byFactor.div_(norms));
          }
          if (bias != null && bias.requires_grad()) {
            product.tape().recordVectorGradient(bias, gradient.sum(0));
          }
        });
  }

  private static Tensor plus(Tensor scaled, @Nullable Tensor bias) {
    return bias == null ? scaled : scaled.add_(bias);
  }
}
