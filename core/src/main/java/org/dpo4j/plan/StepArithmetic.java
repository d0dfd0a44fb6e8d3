package org.dpo4j.plan;

import java.util.Optional;
import org.dpo4j.model.ModelShape;

/**
 * The floating point operations that forward and backward of a policy need, a multiplication and an
 * addition counted as two. What an implementation does beyond that is not counted: padding, a
 * prompt computed twice, activations computed again. Nor are norms, activations, softmax and
 * recurrences, which are linear in the tokens with small factors.
 *
 * <ul>
 *   <li>Forward: 2 for each weight of the blocks and each fed token; 2 for each weight of the head
 *       and each predicted token; for attention 4 x heads x headDim for each key that a query sees
 *       (scores, and the weighted sum of values). In a last block with attention only keys and
 *       values of every token are needed, the rest where something is predicted.
 *   <li>Backward: twice the forward, one product for the input's gradient and one for the weight's.
 *       A frozen weight needs the first alone.
 * </ul>
 *
 * @param shape of the model
 * @param adapter that is trained while the model is frozen; empty where the model is trained
 */
public record StepArithmetic(ModelShape shape, Optional<AdapterShape> adapter) {

  /** Of a forward pass without its backward, as a reference needs it. */
  public double forward(TokenLoad load) {
    return weights(load) + attention(load) + factors(load);
  }

  /** Of forward and backward. */
  public double training(TokenLoad load) {
    double products = adapter.isPresent() ? 2 : 3;
    return products * weights(load) + 3 * (attention(load) + factors(load));
  }

  private double weights(TokenLoad load) {
    double last = shape.usedLastBlockWeights();
    // A recurrence goes on from each token, and the loss of the routers counts all.
    double ofAllTokens =
        shape.windows().get(shape.layers() - 1) == 0 || shape.hasRouterLoss()
            ? last
            : 2.0 * shape.hiddenSize() * shape.keyValueHeads() * shape.headDim();
    return 2.0 * (shape.usedBlockWeights() - last + ofAllTokens) * load.tokens()
        + 2.0 * (last - ofAllTokens) * load.predicting()
        + 2.0 * shape.headWeights() * load.predictions();
  }

  private double attention(TokenLoad load) {
    return 4.0 * shape.heads() * shape.headDim() * load.keysSeen(shape);
  }

  private double factors(TokenLoad load) {
    return adapter.map(sizes -> 2.0 * sizes.factors() * load.tokens()).orElse(0.0);
  }
}
