package org.dpo4j.model.decoder;

import java.util.List;
import java.util.function.UnaryOperator;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.T_TensorTensor_T;
import org.bytedeco.pytorch.Tensor;
import org.dpo4j.model.ExpertSlot;
import org.dpo4j.model.Linear;
import org.dpo4j.model.Node;
import org.dpo4j.model.RouterLoss;
import org.dpo4j.torch.Tensors;
import org.jspecify.annotations.Nullable;

/**
 * MLPs of which each token takes those with the largest router logits, weighted by the softmax of
 * the logits. Only autograd computes its gradients.
 *
 * @param router from (tokens, hidden) to (tokens, experts)
 * @param chosen number of experts that a token takes
 * @param renormalized whether the softmax is over the chosen experts instead of all
 * @param inputs where an adapter changes gates and inputs, beside each other
 * @param outputs where an adapter changes the outputs
 * @param experts one after the other
 * @param shared added for all tokens; null for none
 */
record Experts(
    Linear router,
    int chosen,
    boolean renormalized,
    ExpertSlot inputs,
    ExpertSlot outputs,
    List<Expert> experts,
    @Nullable UnaryOperator<Tensor> shared)
    implements Mlp {

  /** One of the MLPs. */
  interface Expert {
    /**
     * Maps (tokens, hidden) to (tokens, hidden).
     *
     * @param inputs what an adapter adds to gate and input of the activation
     * @param outputs what an adapter adds to the output
     */
    Tensor apply(Tensor x, ExpertSlot.Products inputs, ExpertSlot.Products outputs);
  }

  @Override
  public Node apply(Node input, RouterLoss.@Nullable Log routers) {
    Tensor x = input.value();
    Tensor logits = router.apply(Node.of(x)).value();
    if (routers != null) {
      routers.add(logits);
    }
    T_TensorTensor_T top = logits.topk(chosen);
    Tensor numbers = top.get1(); // (tokens, chosen)
    Tensor weights = renormalized ? top.get0().softmax(-1) : logits.softmax(-1).gather(1, numbers);
    Tensor sum = Tensors.zerosLike(x, x.shape());
    ExpertSlot.Products toInputs = inputs.products();
    ExpertSlot.Products toOutputs = outputs.products();
    for (int i = 0; i < experts.size(); i++) {
      Tensor places = numbers.eq(Tensors.scalar(i)).nonzero(); // (uses, 2)
      if (places.size(0) > 0) {
        Tensor tokens = places.select(1, 0);
        Tensor seen = experts.get(i).apply(x.index_select(0, tokens), toInputs, toOutputs);
        Tensor weight =
            weights
                .reshape(-1)
                .index_select(0, tokens.mul(new Scalar(chosen)).add(places.select(1, 1)));
        sum = sum.index_add(0, tokens, seen.mul(weight.unsqueeze(1)));
      }
    }
    return input.untaped(shared == null ? sum : sum.add(shared.apply(x)));
  }
}
