package org.dpo4j.logprob;

import java.util.Arrays;
import org.bytedeco.pytorch.LongOptional;
import org.bytedeco.pytorch.ScalarOptional;
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
   *
   * @param tail weights tokens; {@code sequences} are then pairs
   */
  public static SequenceScores score(CausalLm model, FlatSequences sequences, TailWeight tail) {
    check(model, sequences);
    if (sequences.targets().length == 0) {
      Tensor nothing = nothing(model, sequences);
      return new SequenceScores(nothing, nothing, TokenStatistics.zeros(sequences.sequences()));
    }
    Predictions predictions = predict(model, sequences);
    Tensor sums = predictions.sums(sequences, TailWeight.NONE);
    return new SequenceScores(
        sums,
        tail.equals(TailWeight.NONE) ? sums : predictions.sums(sequences, tail),
        statistics(sequences, predictions));
  }

  /** {@link #score(CausalLm, FlatSequences, TailWeight)} with all tokens counted fully. */
  public static SequenceScores score(CausalLm model, FlatSequences sequences) {
    return score(model, sequences, TailWeight.NONE);
  }

  /**
   * The log-probabilities alone, without the cost of the statistics.
   *
   * @param tail weights tokens; {@code sequences} are then pairs
   * @return sums over completion tokens, in nats, shape (sequences)
   */
  public static Tensor logProbs(CausalLm model, FlatSequences sequences, TailWeight tail) {
    check(model, sequences);
    return sequences.targets().length == 0
        ? nothing(model, sequences)
        : predict(model, sequences).sums(sequences, tail);
  }

  /** {@link #logProbs(CausalLm, FlatSequences, TailWeight)} with all tokens counted fully. */
  public static Tensor logProbs(CausalLm model, FlatSequences sequences) {
    return logProbs(model, sequences, TailWeight.NONE);
  }

  /** What was predicted where a completion token stands. */
  private record Predictions(
      Tensor logits, // (scored, vocab)
      Tensor targets, // (scored)
      Tensor normalizer, // (scored)
      Tensor logProbs) { // (scored)

    /** Shape (sequences). */
    Tensor sums(FlatSequences sequences, TailWeight tail) {
      Tensor terms = logProbs;
      if (!tail.equals(TailWeight.NONE)) {
        terms = terms.mul(Tensors.like(terms, tail.of(sequences)));
      }
      return Tensors.zerosLike(logits, sequences.sequences())
          .index_add(0, Tensors.longs(sequences.sequenceOf()), terms);
    }
  }

  private static Predictions predict(CausalLm model, FlatSequences sequences) {
    Tensor logits = completionLogits(model, sequences, like(model));
    Tensor targets = Tensors.longs(sequences.targets());
    Tensor normalizer = logits.logsumexp(new long[] {-1}, false);
    return new Predictions(
        logits,
        targets,
        normalizer,
        logits.gather(1, targets.unsqueeze(1)).squeeze(1).sub(normalizer));
  }

  private static Tensor nothing(CausalLm model, FlatSequences sequences) {
    return Tensors.zerosLike(like(model), sequences.sequences());
  }

  private static Tensor like(CausalLm model) {
    return model.parameters().all().get(0).tensor();
  }

  /**
   * The log-probability of one completion: the sum over its tokens, the prompt masked. An empty
   * completion has log-probability 0. When prompt and completion together exceed the model's
   * context, the prompt loses its oldest tokens.
   *
   * <p>After an empty prompt the first token is conditioned on nothing and does not count. The
   * result belongs to the {@link org.dpo4j.torch.TensorScope} that is open around the call.
   *
   * @return a scalar in nats; {@code view(1)} makes a batch of one of it. Gradients flow where
   *     {@code model.parameters().requireGradients(true)} was called
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
    return logProbs(model, FlatSequences.of(prompt, completionIds)).sum();
  }

  private static Tensor completionLogits(CausalLm model, FlatSequences sequences, Tensor like) {
    Tensor selected =
        TensorScope.only(
            () ->
                model
                    .hiddenStates(
                        Tensors.longs(sequences.ids()),
                        Tensors.longs(sequences.positions()),
                        new FlatAttention(sequences, like, model.windows()))
                    .index_select(0, Tensors.longs(sequences.predictors())));
    return model.logits(selected);
  }

  private static TokenStatistics statistics(FlatSequences sequences, Predictions predictions) {
    try (TensorScope scope = TensorScope.open();
        NoGrad noGrad = NoGrad.open()) {
      Tensor scores = predictions.logits().detach();
      Tensor shares = torch.softmax(scores, -1);
      Tensor norms = shares.norm(new ScalarOptional(Tensors.scalar(2)), new long[] {-1}, false);
      double[] alignment =
          Tensors.toDoubles(
              predictions.logProbs().detach().sub(norms.log().mul(Tensors.scalar(2))));
      // H = log Z - sum p x logit
      Tensor weighted = shares.mul_(scores).sum(new long[] {-1});
      double[] entropy = Tensors.toDoubles(predictions.normalizer().detach().sub(weighted));
      double[] meanLogits = Tensors.toDoubles(scores.mean(new long[] {-1}));
      double[] correct =
          Tensors.toDoubles(scores.argmax(new LongOptional(-1), false).eq(predictions.targets()));
      TokenStatistics sums = TokenStatistics.zeros(sequences.sequences());
      for (int i = 0; i < entropy.length; i++) {
        int sequence = sequences.sequenceOf()[i];
        sums.tokens()[sequence]++;
        sums.entropy()[sequence] += entropy[i];
        sums.logits()[sequence] += meanLogits[i];
        sums.correct()[sequence] += correct[i];
        sums.alignment()[sequence] += alignment[i];
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
