package org.dpo4j.logprob;

import java.util.Arrays;
import java.util.OptionalLong;
import org.bytedeco.pytorch.Tensor;
import org.dpo4j.DpoException;
import org.dpo4j.OptionText;
import org.dpo4j.batch.FlatSequences;
import org.dpo4j.model.CausalLm;
import org.dpo4j.model.DropoutMasks;
import org.dpo4j.model.FlatAttention;
import org.dpo4j.model.RouterLoss;
import org.dpo4j.torch.NoGrad;
import org.dpo4j.torch.TensorScope;
import org.dpo4j.torch.Tensors;
import org.jspecify.annotations.Nullable;

/**
 * Log-probabilities of completions under a model, by the definition: gradients flow through
 * libtorch's autograd unless they are switched off. For losses of one's own; training runs, which
 * must be fast, use a {@link LogProbEngine}.
 */
public final class SequenceLogProbs {

  private SequenceLogProbs() {}

  /**
   * The log-probabilities of all completions of a batch in one forward pass. Logits are computed at
   * the positions that predict a completion token and nowhere else.
   *
   * @param tail weights tokens; {@code sequences} are then pairs
   * @return sums over completion tokens, in nats, shape (sequences)
   */
  public static Tensor logProbs(CausalLm model, FlatSequences sequences, LengthDesensitizing tail) {
    check(model, sequences);
    return sequences.targets().length == 0
        ? nothing(model, sequences)
        : sums(model, sequences, tail);
  }

  /**
   * {@link #logProbs(CausalLm, FlatSequences, LengthDesensitizing)} with all tokens counted fully.
   */
  public static Tensor logProbs(CausalLm model, FlatSequences sequences) {
    return logProbs(model, sequences, LengthDesensitizing.NONE);
  }

  /** Shape (sequences). */
  private static Tensor sums(CausalLm model, FlatSequences sequences, LengthDesensitizing tail) {
    return new CompletionSums(sequences, tail).weightedSums(terms(model, sequences));
  }

  /**
   * Log-probabilities of target tokens, shape (rows).
   *
   * @param logits shape (rows, vocab)
   * @param targets token ids, int64, shape (rows)
   */
  static Tensor logProbs(Tensor logits, Tensor targets) {
    return targetLogits(logits, targets).sub(logits.logsumexp(new long[] {-1}, false));
  }

  /** The logit of each row's target, shape (rows). */
  static Tensor targetLogits(Tensor logits, Tensor targets) {
    return logits.gather(1, targets.unsqueeze(1)).squeeze(1);
  }

  private static Tensor nothing(CausalLm model, FlatSequences sequences) {
    return Tensors.zerosLike(like(model), sequences.sequences());
  }

  private static Tensor like(CausalLm model) {
    return model.parameters().like();
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
    int available = model.maxPositions() - completionIds.length;
    if (available < 0) {
      throw new DpoException(
          "a completion must fit into the model's context of "
              + model.maxPositions()
              + " tokens but has "
              + completionIds.length
              + "; shorten it");
    }
    // The last completion token is not fed to the model, so one prompt token always fits.
    int keep = Math.min(promptIds.length, Math.max(available, 1));
    int[] prompt = Arrays.copyOfRange(promptIds, promptIds.length - keep, promptIds.length);
    return logProbs(model, FlatSequences.of(prompt, completionIds)).sum();
  }

  /**
   * The log-probability of each token of one completion, without gradients.
   *
   * @return in nats, in the order of the tokens. After an empty prompt the first token is
   *     conditioned on nothing and left out
   * @throws DpoException if an id or position is outside the model's range
   */
  public static double[] tokenLogProbs(CausalLm model, int[] promptIds, int[] completionIds) {
    FlatSequences sequences = FlatSequences.of(promptIds, completionIds);
    check(model, sequences);
    if (sequences.targets().length == 0) {
      return new double[0];
    }
    try (TensorScope scope = TensorScope.open();
        NoGrad noGrad = NoGrad.open()) {
      return Tensors.toDoubles(terms(model, sequences));
    }
  }

  /** Log-probability of each completion token, shape (scored). */
  private static Tensor terms(CausalLm model, FlatSequences sequences) {
    Tensor logits = completionLogits(model, sequences);
    return logProbs(logits, Tensors.indices(logits, sequences.targets()));
  }

  /** Shape (scored, vocab). */
  static Tensor completionLogits(CausalLm model, FlatSequences sequences) {
    return model.logits(predictingStates(model, sequences, OptionalLong.empty(), null));
  }

  /**
   * The states from which the head predicts completion tokens, shape (scored, hidden).
   *
   * @param dropoutSeed seed of the dropout masks; empty for a pass without dropout
   * @param routers takes the logits of the routers; null if nobody needs them
   */
  static Tensor predictingStates(
      CausalLm model,
      FlatSequences sequences,
      OptionalLong dropoutSeed,
      RouterLoss.@Nullable LogitsSink routers) {
    Tensor like = like(model);
    return TensorScope.compute(
        () ->
            model
                .hiddenStates(
                    Tensors.indices(like, sequences.ids()),
                    Tensors.indices(like, sequences.positions()),
                    new FlatAttention(sequences, like, model.windows()),
                    dropoutSeed.isPresent()
                        ? DropoutMasks.of(dropoutSeed.getAsLong(), sequences.tokens())
                        : null,
                    routers)
                .index_select(0, Tensors.indices(like, sequences.predictors())));
  }

  /** Checks ids and positions: libtorch reads out of bounds without an error. */
  static void check(CausalLm model, FlatSequences sequences) {
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
                + OptionText.of(" tokens but one is longer; lower {max_length}"));
      }
    }
  }

  /**
   * Checks a token id.
   *
   * @throws DpoException if it is outside the model's vocabulary
   */
  public static void checkId(CausalLm model, int id) {
    if (id < 0 || id >= model.vocabSize()) {
      throw new DpoException(
          "a token id must be in [0, "
              + model.vocabSize()
              + ") but was "
              + id
              + "; the tokenizer's files belong to another model, or the model lacks the row for a"
              + " token that was added");
    }
  }
}
