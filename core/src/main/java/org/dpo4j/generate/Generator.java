package org.dpo4j.generate;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Deque;
import java.util.Iterator;
import java.util.List;
import java.util.Objects;
import java.util.Set;
import java.util.SplittableRandom;
import java.util.function.Consumer;
import java.util.function.IntPredicate;
import org.dpo4j.DpoException;
import org.dpo4j.Interruption;
import org.dpo4j.logprob.SequenceLogProbs;
import org.dpo4j.model.CausalLm;
import org.jspecify.annotations.Nullable;

/** Generates completions of prompts. */
public final class Generator {

  /**
   * A prompt to complete.
   *
   * @param ids at least one
   * @param number a completion depends on it through its random numbers: give equal prompts
   *     different numbers
   */
  @SuppressWarnings("ArrayRecordComponent") // prompts are never compared
  public record Prompt(int[] ids, int number) {}

  /**
   * A token of a completion.
   *
   * @param logProb of the token under the model at temperature 1, in nats
   * @param alternatives the most probable tokens in its place, the most probable first; as many as
   *     were asked for
   */
  public record Token(int id, double logProb, List<Alternative> alternatives) {}

  /** A token that could stand in the place of another, with its log-probability. */
  public record Alternative(int id, double logProb) {}

  /** Gets the tokens of completions. It is called on the thread of the model and must not wait. */
  public interface Receiver {

    /**
     * Takes the next token.
     *
     * @param completion its number among those of the prompt
     * @return whether the completion goes on
     */
    boolean token(int completion, Token token);

    /**
     * Called once for each completion, after its last token.
     *
     * @param end the end token, by which the model ended it; null if something else did
     */
    void ended(int completion, @Nullable Token end);

    /** Whether nobody waits for the tokens any more. */
    default boolean cancelled() {
      return false;
    }
  }

  /**
   * A prompt to complete, how, and who gets the tokens.
   *
   * @param number a completion depends on it through its random numbers
   * @param completions number of completions, at least 1
   * @param maxNewTokens maximum length of a completion; the model's context may end it earlier
   * @param seed seed of the sampling, if the temperature is not 0
   * @param alternatives how many of the most probable tokens are named beside each token
   */
  @SuppressWarnings("ArrayRecordComponent") // prompts are never compared
  public record Request(
      int[] prompt,
      int number,
      int completions,
      int maxNewTokens,
      TokenSampler sampler,
      long seed,
      int alternatives,
      Receiver receiver) {

    /** The random numbers of a completion; those of the seed itself for the first of prompt 0. */
    SplittableRandom random(int completion) {
      long mixed = ((long) number << 32) + completion;
      // The finalizer of MurmurHash3: neighbouring numbers get unrelated streams.
      mixed = (mixed ^ (mixed >>> 33)) * 0xff51afd7ed558ccdL;
      mixed = (mixed ^ (mixed >>> 33)) * 0xc4ceb9fe1a85ec53L;
      return new SplittableRandom(seed + (mixed ^ (mixed >>> 33)));
    }
  }

  /** The completions of one prompt, as tokens. */
  private static final class Siblings implements Receiver {
    private final List<List<Integer>> tokens = new ArrayList<>();
    private final double[] logProbs;
    private final @Nullable Completion[] done; // null until complete
    private final IntPredicate onToken;
    private int left;

    Siblings(int completions, IntPredicate onToken) {
      for (int i = 0; i < completions; i++) {
        tokens.add(new ArrayList<>());
      }
      this.logProbs = new double[completions];
      this.done = new Completion[completions];
      this.onToken = onToken;
      this.left = completions;
    }

    @Override
    public boolean token(int completion, Token token) {
      tokens.get(completion).add(token.id());
      logProbs[completion] += token.logProb();
      return onToken.test(token.id());
    }

    @Override
    public void ended(int completion, @Nullable Token end) {
      int[] ids = tokens.get(completion).stream().mapToInt(Integer::intValue).toArray();
      double last = end == null ? 0 : end.logProb();
      done[completion] = new Completion(ids, logProbs[completion] + last, end != null);
      left--;
    }

    List<Completion> all() {
      return Arrays.stream(done).map(Objects::requireNonNull).toList();
    }
  }

  private final CausalLm model;
  private final Set<Integer> endTokens;
  private final TokenSampler sampling;
  private final long seed;

  /**
   * Prepares for any number of prompts.
   *
   * @param endTokens ids that end a completion
   * @param seed seed of the sampling, if the temperature is not 0
   */
  public Generator(CausalLm model, Set<Integer> endTokens, TokenSampler sampling, long seed) {
    this.model = model;
    this.endTokens = Set.copyOf(endTokens);
    this.sampling = sampling;
    this.seed = seed;
  }

  /**
   * The completion of a prompt, which does not depend on earlier prompts.
   *
   * @param prompt at least one id
   * @param maxNewTokens maximum length of the completion; the model's context may end it earlier
   * @throws DpoException if the prompt is empty, fills the context or has an id outside the
   *     vocabulary
   */
  public Completion generate(int[] prompt, int maxNewTokens) {
    return generate(prompt, maxNewTokens, id -> true);
  }

  /**
   * {@link #generate(int[], int)}, which passes on each token as soon as it is sampled.
   *
   * @param onToken called on the calling thread, without tensors held; returns whether the
   *     completion goes on. An exception from it ends the generation
   * @throws DpoException also if the thread is interrupted
   */
  public Completion generate(int[] prompt, int maxNewTokens, IntPredicate onToken) {
    List<Completion> all = new ArrayList<>();
    generate(List.of(new Prompt(prompt, 0)), 1, maxNewTokens, 1, onToken, all::addAll);
    return all.get(0);
  }

  /**
   * Generates several completions of each prompt, many at a time. A completion depends on the seed,
   * its prompt, the prompt's number and its own number, and on nothing else but the rounding of the
   * model's products, which differs with their number of rows.
   *
   * @param completions number of completions of each prompt
   * @param maxNewTokens maximum length of a completion; the model's context may end it earlier
   * @param batchSize number of completions that are generated at the same time
   * @param onPrompt receives the completions of each prompt, in the order of the prompts
   * @throws DpoException if a prompt is empty, fills the context or has an id outside the
   *     vocabulary, or the thread is interrupted
   */
  public void generate(
      List<Prompt> prompts,
      int completions,
      int maxNewTokens,
      int batchSize,
      Consumer<List<Completion>> onPrompt) {
    generate(prompts, completions, maxNewTokens, batchSize, id -> true, onPrompt);
  }

  private void generate(
      List<Prompt> prompts,
      int completions,
      int maxNewTokens,
      int batchSize,
      IntPredicate onToken,
      Consumer<List<Completion>> onPrompt) {
    int[] generated = {0};
    IntPredicate counting =
        id -> {
          generated[0]++;
          return onToken.test(id);
        };
    Deque<Siblings> unfinished = new ArrayDeque<>(); // by prompt
    Iterator<Prompt> left = prompts.iterator();
    try (GrowingBatch batch = new GrowingBatch(model, endTokens, batchSize)) {
      while (left.hasNext() || !batch.isIdle()) {
        if (left.hasNext() && batch.hasRoom()) {
          Prompt prompt = left.next();
          check(prompt.ids());
          checkInterrupt(generated[0]);
          Siblings siblings = new Siblings(completions, counting);
          unfinished.add(siblings);
          batch.begin(
              new Request(
                  prompt.ids(),
                  prompt.number(),
                  completions,
                  maxNewTokens,
                  sampling,
                  seed,
                  0,
                  siblings));
        } else {
          checkInterrupt(generated[0]);
          batch.step();
        }
        while (!unfinished.isEmpty() && unfinished.element().left == 0) {
          onPrompt.accept(unfinished.remove().all());
        }
      }
    }
  }

  private static void checkInterrupt(int generated) {
    Interruption.check("after %d generated tokens".formatted(generated));
  }

  /**
   * Checks a prompt.
   *
   * @throws DpoException as {@link #generate} does
   */
  public void check(int[] prompt) {
    check(model, model.maxPositions(), prompt);
  }

  /**
   * Checks a prompt.
   *
   * @param positions of prompt and completion together
   */
  static void check(CausalLm model, int positions, int[] prompt) {
    if (prompt.length == 0 || prompt.length >= positions) {
      throw new DpoException(
          "a prompt must have from 1 to "
              + (positions - 1)
              + " tokens, one less than the model's context, but has "
              + prompt.length
              + (prompt.length == 0 ? "; write something" : "; shorten it"));
    }
    for (int id : prompt) {
      SequenceLogProbs.checkId(model, id);
    }
  }

  /**
   * A completion as token ids.
   *
   * @param ids without the end token
   * @param logProb sum over the tokens, the end token among them, of their log-probabilities under
   *     the model at temperature 1, in nats
   * @param ended whether the model generated an end token; else a limit ended the completion
   */
  @SuppressWarnings("ArrayRecordComponent") // ids are passed on, never compared
  public record Completion(int[] ids, double logProb, boolean ended) {

    /** Number of tokens that {@link #logProb} sums. */
    public int count() {
      return ids.length + (ended ? 1 : 0);
    }
  }
}
