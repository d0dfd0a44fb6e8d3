package org.dpo4j.model;

import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.dpo4j.torch.Tensors;

/** The nonlinearity of an MLP. */
public enum Activation {
  /** x Phi(x). Hendrycks and Gimpel 2016, arXiv 1606.08415. */
  GELU {
    @Override
    public Tensor apply(Tensor input) {
      return torch.gelu(input);
    }
  },
  /** GELU by its tanh approximation. */
  GELU_TANH {
    @Override
    public Tensor apply(Tensor input) {
      return torch.gelu(input, "tanh");
    }
  },
  /** GELU as x sigmoid(1.702 x). */
  QUICK_GELU {
    @Override
    public Tensor apply(Tensor input) {
      return input.mul(input.mul(Tensors.scalar(1.702)).sigmoid());
    }
  },
  RELU {
    @Override
    public Tensor apply(Tensor input) {
      return torch.relu(input);
    }
  },
  /** x sigmoid(x). */
  SILU {
    @Override
    public Tensor apply(Tensor input) {
      return torch.silu(input);
    }
  },
  TANH {
    @Override
    public Tensor apply(Tensor input) {
      return torch.tanh(input);
    }
  };

  /** Any shape in, the same out. */
  public abstract Tensor apply(Tensor input);
}
