package org.dpo4j.logprob;

import org.bytedeco.pytorch.Tensor;
import org.dpo4j.torch.Shapes;
import org.dpo4j.torch.Tensors;

/**
 * Log-probabilities of both completions of some pairs under one model.
 *
 * @param chosen log pi(y_w given x), shape (batch)
 * @param rejected log pi(y_l given x), shape (batch), same type
 * @param chosenTokens tokens of y_w, shape (batch), same type; at least 1 each
 * @param rejectedTokens tokens of y_l, shape (batch), same type; at least 1 each
 */
public record PairLogProbs(
    Tensor chosen, Tensor rejected, Tensor chosenTokens, Tensor rejectedTokens) {

  /**
   * The largest relative difference between two log-probabilities of one sequence under one model
   * that is rounding: the last two bits of 32-bit numbers, in which the cut of a batch shows.
   */
  public static final double ROUNDING = 0x1p-21;

  public PairLogProbs {
    Shapes.require("chosen", chosen, -1);
    long batch = chosen.size(0);
    Shapes.require("rejected", rejected, batch);
    Shapes.require("chosenTokens", chosenTokens, batch);
    Shapes.require("rejectedTokens", rejectedTokens, batch);
    Shapes.requireFloating("chosen", chosen);
    Shapes.requireSameType("rejected", rejected, chosen);
  }

  /** For losses that ignore lengths: each completion counts as one token. */
  public static PairLogProbs ofSums(Tensor chosen, Tensor rejected) {
    Tensor ones = Tensors.zerosLike(chosen, chosen.shape()).add(Tensors.scalar(1));
    return new PairLogProbs(chosen, rejected, ones, ones);
  }

  /**
   * Splits the scores of a preference batch: sequence 2i is the chosen completion of pair i, 2i + 1
   * the rejected one.
   *
   * @param logProbs shape (2 x batch)
   * @param lengths tokens of each completion, shape (2 x batch)
   */
  public static PairLogProbs ofSequences(Tensor logProbs, int[] lengths) {
    Shapes.require("logProbs", logProbs, lengths.length);
    Tensor pairs = logProbs.view(-1, 2); // (batch, 2)
    Tensor tokens =
        Tensors.indices(logProbs, lengths).to(logProbs.scalar_type().intern()).view(-1, 2);
    return new PairLogProbs(
        pairs.select(1, 0), pairs.select(1, 1), tokens.select(1, 0), tokens.select(1, 1));
  }

  /**
   * From plain numbers, without gradients.
   *
   * @param logProbs chosen and rejected of each pair in turn, 2 x batch
   * @param lengthsOf the lengths and the type are taken from it
   */
  public static PairLogProbs ofSequences(double[] logProbs, PairLogProbs lengthsOf) {
    double[] chosen = new double[logProbs.length / 2];
    double[] rejected = new double[logProbs.length / 2];
    for (int i = 0; i < chosen.length; i++) {
      chosen[i] = logProbs[2 * i];
      rejected[i] = logProbs[2 * i + 1];
    }
    return ofValues(chosen, rejected, lengthsOf);
  }

  /**
   * From plain numbers, without gradients.
   *
   * @param chosen shape (batch)
   * @param rejected shape (batch)
   * @param lengthsOf the lengths and the type are taken from it
   */
  public static PairLogProbs ofValues(double[] chosen, double[] rejected, PairLogProbs lengthsOf) {
    return new PairLogProbs(
        Tensors.like(lengthsOf.chosen, chosen),
        Tensors.like(lengthsOf.chosen, rejected),
        lengthsOf.chosenTokens,
        lengthsOf.rejectedTokens);
  }
}
