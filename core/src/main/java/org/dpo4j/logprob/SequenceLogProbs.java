package org.dpo4j.logprob;

import java.util.Arrays;
import org.bytedeco.pytorch.LongOptional;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.dpo4j.DpoException;
import org.dpo4j.batch.FlatSequences;
import org.dpo4j.model.CausalLm;
import org.dpo4j.model.FlatAttention;
import org.dpo4j.torch.NoGrad;
import org.dpo4j.torch.TensorScope;
import org.dpo4j.torch.Tensors;

/** Log-probabilities of completions under a model. Gradients flow unless they are switched off. */
public final class SequenceLogProbs {

  private SequenceLogProbs() {}

  /**
   * Scores the completions of a batch in one forward pass. Logits are computed at the positions
   * that predict a completion token and nowhere else.
   */
  public static SequenceScores score(CausalLm model, FlatSequences sequences) {
    check(model, sequences);
    Tensor like = model.parameters().all().get(0).tensor();
    if (sequences.targets().length == 0) {
      int count = sequences.sequences();
      return new SequenceScores(
          Tensors.zerosLike(like, count),
          new TokenStatistics(
              new int[count], new double[count], new double[count], new double[count]));
    }
    Tensor logits = completionLogits(model, sequences, like); // (scored, vocab)
    Tensor targets = Tensors.longs(sequences.targets()); // (scored)
    Tensor normalizer = logits.logsumexp(new long[] {-1}, false); // (scored)
    Tensor perToken = logits.gather(1, targets.unsqueeze(1)).squeeze(1).sub(normalizer);
    Tensor sequenceOf = Tensors.longs(sequences.sequenceOf());
    Tensor sums = Tensors.zerosLike(like, sequences.sequences()).index_add(0, sequenceOf, perToken);
    return new SequenceScores(sums, statistics(sequences, logits, normalizer, targets));
  }

  /**
   * The log-probability of one completion: the sum over its tokens, the prompt masked. An empty
   * completion has log-probability 0. When prompt and completion together exceed the model's
   * context, the prompt loses its oldest tokens.
   *
   * @return a scalar in nats, through which gradients flow
   * @throws DpoException if the completion alone does not fit into the context
   */
  public static Tensor sequenceLogProb(CausalLm model, int[] promptIds, int[] completionIds) {
    int room = model.maxPositions() - completionIds.length;
    if (room < 0) {
      throw new DpoException(
          "a completion must fit into the model's context of "
              + model.maxPositions()
              + " tokens but has "
              + completionIds.length
              + "; shorten it");
    }
    // The last completion token is not fed, so that one prompt token always finds a place.
    int keep = Math.min(promptIds.length, Math.max(room, 1));
    int[] prompt = Arrays.copyOfRange(promptIds, promptIds.length - keep, promptIds.length);
    return score(model, FlatSequences.of(prompt, completionIds)).logProbs().sum();
  }

  private static Tensor completionLogits(CausalLm model, FlatSequences sequences, Tensor like) {
    Tensor selected =
        TensorScope.only(
            () ->
                model
                    .hiddenStates(
                        Tensors.longs(sequences.ids()),
                        Tensors.longs(sequences.positions()),
                        new FlatAttention(sequences, like))
                    .index_select(0, Tensors.longs(sequences.predictors())));
    return model.logits(selected);
  }

  private static TokenStatistics statistics(
      FlatSequences sequences, Tensor logits, Tensor normalizer, Tensor targets) {
    try (TensorScope scope = TensorScope.open();
        NoGrad noGrad = NoGrad.open()) {
      Tensor scores = logits.detach();
      // H = log Z - sum p x logit
      Tensor weighted = torch.softmax(scores, -1).mul_(scores).sum(new long[] {-1});
      double[] entropy = Tensors.toDoubles(normalizer.detach().sub(weighted));
      double[] meanLogits = Tensors.toDoubles(scores.mean(new long[] {-1}));
      double[] correct = Tensors.toDoubles(scores.argmax(new LongOptional(-1), false).eq(targets));
      int count = sequences.sequences();
      TokenStatistics sums =
          new TokenStatistics(
              new int[count], new double[count], new double[count], new double[count]);
      for (int i = 0; i < entropy.length; i++) {
        int sequence = sequences.sequenceOf()[i];
        sums.tokens()[sequence]++;
        sums.entropy()[sequence] += entropy[i];
        sums.logits()[sequence] += meanLogits[i];
        sums.correct()[sequence] += correct[i];
      }
      return sums;
    }
  }

  /** Native code must never see an id or a position outside its table. */
  private static void check(CausalLm model, FlatSequences sequences) {
    for (int id : sequences.ids()) {
      checkId(model, id);
    }
    for (int id : sequences.targets()) {
      checkId(model, id);
    }
    for (int position : sequences.positions()) {
      if (position >= model.maxPositions()) {
        throw new DpoException(
            "a sequence must fit into the model's context of "
                + model.maxPositions()
                + " tokens but one is longer; lower --max_length");
      }
    }
  }

  private static void checkId(CausalLm model, int id) {
    if (id < 0 || id >= model.vocabSize()) {
      throw new DpoException("a token id must be in [0, " + model.vocabSize() + ") but was " + id);
    }
  }
}
