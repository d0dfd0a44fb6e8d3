package org.dpo4j.model;

import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.dpo4j.torch.Tensors;

/** The nonlinearity of an MLP. */
public enum Activation {
  /** x Phi(x). Hendrycks and Gimpel 2016, arXiv 1606.08415. */
  GELU {
    @Override
    Tensor apply(Tensor input) {
      return torch.gelu(input);
    }

    @Override
    Tensor gradient(Tensor gradient, Tensor input) {
      return torch.gelu_backward(gradient, input, "none");
    }
  },
  /** GELU by its tanh approximation. */
  GELU_TANH {
    @Override
    Tensor apply(Tensor input) {
      return torch.gelu(input, "tanh");
    }

    @Override
    Tensor gradient(Tensor gradient, Tensor input) {
      return torch.gelu_backward(gradient, input, "tanh");
    }
  },
  /** GELU as x sigmoid(1.702 x). */
  QUICK_GELU {
    @Override
    Tensor apply(Tensor input) {
      return input.mul(input.mul(Tensors.scalar(1.702)).sigmoid());
    }

    @Override
    Tensor gradient(Tensor gradient, Tensor input) {
      Tensor scaled = input.mul(Tensors.scalar(1.702));
      Tensor sigmoid = scaled.sigmoid();
      // s + 1.702 x s (1 - s)
      return gradient.mul(
          scaled.mul_(sigmoid).mul_(sigmoid.neg().add_(Tensors.scalar(1))).add_(sigmoid));
    }
  },
  RELU {
    @Override
    Tensor apply(Tensor input) {
      return torch.relu(input);
    }

    @Override
    Tensor gradient(Tensor gradient, Tensor input) {
      return torch.threshold_backward(gradient, input, Tensors.scalar(0));
    }
  },
  /** max(x, 0)^2. So et al. 2021, arXiv 2109.08668. */
  SQUARED_RELU {
    @Override
    Tensor apply(Tensor input) {
      return torch.relu(input).square();
    }

    @Override
    Tensor gradient(Tensor gradient, Tensor input) {
      return gradient.mul(torch.relu(input)).mul_(Tensors.scalar(2));
    }
  },
  /** x sigmoid(x). */
  SILU {
    @Override
    Tensor apply(Tensor input) {
      return torch.silu(input);
    }

    @Override
    Tensor gradient(Tensor gradient, Tensor input) {
      return torch.silu_backward(gradient, input);
    }
  },
  TANH {
    @Override
    Tensor apply(Tensor input) {
      return torch.tanh(input);
    }

    @Override
    Tensor gradient(Tensor gradient, Tensor input) {
      return torch.tanh_backward(gradient, torch.tanh(input));
    }
  };

  /** Any shape in, the same out. */
  abstract Tensor apply(Tensor input);

  /**
   * The gradient of the loss with respect to the input.
   *
   * @param gradient with respect to the output
   */
  abstract Tensor gradient(Tensor gradient, Tensor input);

  /** Any shape in, the same out. */
  public Node apply(Node input) {
    input.saveForBackward();
    return input
        .then(apply(input.value()), out -> input.accumulateOwned(gradient(out, input.value())))
        .recomputeWith(() -> apply(input.value()));
  }

  /** The gated activation f(gate) * up: Shazeer 2020, arXiv 2002.05202, Eq. 6. */
  public Node gated(Node gate, Node up) {
    gate.saveForBackward();
    up.saveForBackward();
    return gate.then(product(gate, up), out -> gatedBackward(gate, up, out))
        .recomputeWith(() -> product(gate, up));
  }

  private Tensor product(Node gate, Node up) {
    Tensor activated = apply(gate.value());
    // Without a tape autograd may have saved the tensor, which must not change then.
    return gate.taped() ? activated.mul_(up.value()) : activated.mul(up.value());
  }

  private void gatedBackward(Node gate, Node up, Tensor out) {
    gate.accumulateOwned(gradient(out.mul(up.value()), gate.value()));
    up.accumulateOwned(apply(gate.value()).mul_(out));
  }
}
