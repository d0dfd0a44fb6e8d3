package org.dpo4j.generate;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.Iterator;
import java.util.List;
import java.util.Set;
import java.util.SplittableRandom;
import java.util.function.Consumer;
import java.util.function.IntConsumer;
import java.util.function.Supplier;
import org.bytedeco.pytorch.Tensor;
import org.dpo4j.DpoException;
import org.dpo4j.Interruption;
import org.dpo4j.logprob.SequenceLogProbs;
import org.dpo4j.model.CausalLm;
import org.dpo4j.model.GrowingSequences;
import org.dpo4j.torch.NoGrad;
import org.dpo4j.torch.TensorScope;
import org.dpo4j.torch.Tensors;
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

  /** A completion that grows. */
  private static final class Growing {
    private final @Nullable GeneratedTokens[] siblings; // of one prompt; null until complete
    private final int number; // among them
    private final int limit;
    private final SplittableRandom random;
    private final List<Integer> tokens = new ArrayList<>();
    private double logProb;

    Growing(@Nullable GeneratedTokens[] siblings, int number, int limit, SplittableRandom random) {
      this.siblings = siblings;
      this.number = number;
      this.limit = limit;
      this.random = random;
    }

    int last() {
      return tokens.get(tokens.size() - 1);
    }

    void end(boolean ended) {
      int[] ids = tokens.stream().mapToInt(Integer::intValue).toArray();
      siblings[number] = new GeneratedTokens(ids, logProb, ended);
    }
  }

  /**
   * Sampled tokens, one for each of several completions.
   *
   * @param logProbs of the tokens under the model at temperature 1, in nats
   */
  @SuppressWarnings("ArrayRecordComponent") // never compared
  private record Sampled(int[] tokens, double[] logProbs) {}

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
  public GeneratedTokens generate(int[] prompt, int maxNewTokens) {
    return generate(prompt, maxNewTokens, id -> {});
  }

  /**
   * {@link #generate(int[], int)}, which passes on each token as soon as it is sampled.
   *
   * @param onToken called on the calling thread, without tensors or locks held; an exception from
   *     it ends the generation
   * @throws DpoException also if the thread is interrupted
   */
  public GeneratedTokens generate(int[] prompt, int maxNewTokens, IntConsumer onToken) {
    List<GeneratedTokens> all = new ArrayList<>();
    new Batch(maxNewTokens, 1, 1, onToken, all::addAll)
        .run(List.of(new Prompt(prompt, 0)).iterator());
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
      Consumer<List<GeneratedTokens>> onPrompt) {
    new Batch(maxNewTokens, completions, batchSize, id -> {}, onPrompt).run(prompts.iterator());
  }

  /** The random numbers of a completion; those of the seed itself for the first of prompt 0. */
  private SplittableRandom random(int prompt, int answer) {
    long mixed = ((long) prompt << 32) + answer;
    // The finalizer of MurmurHash3: neighbouring numbers get unrelated streams.
    mixed = (mixed ^ (mixed >>> 33)) * 0xff51afd7ed558ccdL;
    mixed = (mixed ^ (mixed >>> 33)) * 0xc4ceb9fe1a85ec53L;
    return new SplittableRandom(seed + (mixed ^ (mixed >>> 33)));
  }

  /**
   * Samples a token for each completion, from its row of the logits or from the only row.
   *
   * @param logits shape (completions, vocab) or (1, vocab)
   */
  private Sampled sample(Tensor logits, List<Growing> completions) {
    Tensor weights = sampling.weights(logits);
    long rows = logits.size(0);
    int[] tokens = new int[completions.size()];
    int[] places = new int[tokens.length];
    float[] row = new float[0];
    for (int i = 0; i < tokens.length; i++) {
      if (i < rows) {
        row = Tensors.toFloats(Tensors.rows(weights, 0, i, i + 1));
      }
      tokens[i] = sampling.pick(row, completions.get(i).random);
      places[i] = (int) Math.min(i, rows - 1) * row.length + tokens[i];
    }
    Tensor chosen = logits.flatten().index_select(0, Tensors.indices(logits, places));
    Tensor all = logits.logsumexp(new long[] {1}, false);
    return new Sampled(tokens, Tensors.toDoubles(chosen.sub(all)));
  }

  /**
   * Completions that are generated at the same time. A new one takes the place of one that ended.
   */
  private final class Batch {
    private final int maxNewTokens;
    private final int completions;
    private final int size;
    private final IntConsumer onToken;
    private final Consumer<List<GeneratedTokens>> onPrompt;
    private final Deque<@Nullable GeneratedTokens[]> unfinished = new ArrayDeque<>(); // by prompt
    private final Deque<Growing> waiting = new ArrayDeque<>(); // of the prompt that was read last
    private final List<Growing> growing = new ArrayList<>(); // in the order of the sequences
    private int generated;

    Batch(
        int maxNewTokens,
        int completions,
        int size,
        IntConsumer onToken,
        Consumer<List<GeneratedTokens>> onPrompt) {
      this.maxNewTokens = maxNewTokens;
      this.completions = completions;
      this.size = size;
      this.onToken = onToken;
      this.onPrompt = onPrompt;
    }

    void run(Iterator<Prompt> prompts) {
      try (GrowingSequences sequences = new GrowingSequences(model, size)) {
        while (prompts.hasNext() || !waiting.isEmpty() || !growing.isEmpty()) {
          while (growing.size() < size && !waiting.isEmpty()) {
            sequences.add();
            growing.add(waiting.remove());
          }
          if (growing.size() < size && prompts.hasNext()) {
            begin(prompts.next(), sequences);
          } else {
            grow(sequences);
          }
          deliver();
        }
      }
    }

    /** Reads a prompt and samples the first token of its completions. */
    private void begin(Prompt prompt, GrowingSequences sequences) {
      check(prompt.ids());
      int limit = Math.min(maxNewTokens, model.maxPositions() - prompt.ids().length);
      GeneratedTokens[] siblings = new GeneratedTokens[completions];
      unfinished.add(siblings);
      List<Growing> all = new ArrayList<>();
      for (int i = 0; i < completions; i++) {
        all.add(new Growing(siblings, i, limit, random(prompt.number(), i)));
      }
      if (limit == 0) {
        all.forEach(completion -> completion.end(false));
        return;
      }
      checkInterrupt();
      Sampled first = sampled(() -> sequences.read(prompt.ids()), all);
      for (int i = 0; i < completions; i++) {
        if (take(all.get(i), first, i)) {
          waiting.add(all.get(i));
        }
      }
    }

    /** Samples another token of each completion. */
    private void grow(GrowingSequences sequences) {
      checkInterrupt();
      int[] last = growing.stream().mapToInt(Growing::last).toArray();
      Sampled next = sampled(() -> sequences.append(last), growing);
      for (int i = growing.size() - 1; i >= 0; i--) {
        if (!take(growing.get(i), next, i)) {
          sequences.remove(i);
          growing.set(i, growing.get(growing.size() - 1));
          growing.remove(growing.size() - 1);
        }
      }
    }

    private Sampled sampled(Supplier<Tensor> logits, List<Growing> completions) {
      try (TensorScope scope = TensorScope.open();
          NoGrad noGrad = NoGrad.open()) {
        return sample(logits.get(), completions);
      }
    }

    /** Takes a sampled token; returns whether the completion goes on. */
    private boolean take(Growing completion, Sampled sampled, int i) {
      int token = sampled.tokens()[i];
      completion.logProb += sampled.logProbs()[i];
      if (endTokens.contains(token)) {
        completion.end(true);
        return false;
      }
      completion.tokens.add(token);
      generated++;
      onToken.accept(token);
      if (completion.tokens.size() == completion.limit) {
        completion.end(false);
        return false;
      }
      return true;
    }

    private void checkInterrupt() {
      Interruption.check("after %d generated tokens".formatted(generated));
    }

    private void deliver() {
      while (!unfinished.isEmpty()) {
        List<GeneratedTokens> done = new ArrayList<>();
        for (GeneratedTokens completion : unfinished.element()) {
          if (completion == null) {
            return;
          }
          done.add(completion);
        }
        unfinished.remove();
        onPrompt.accept(done);
      }
    }
  }

  /**
   * Checks a prompt.
   *
   * @throws DpoException as {@link #generate} does
   */
  public void check(int[] prompt) {
    if (prompt.length == 0 || prompt.length >= model.maxPositions()) {
      throw new DpoException(
          "a prompt must have from 1 to "
              + (model.maxPositions() - 1)
              + " tokens, one less than the model's context, but has "
              + prompt.length
              + (prompt.length == 0 ? "; write something" : "; shorten it"));
    }
    for (int id : prompt) {
      SequenceLogProbs.checkId(model, id);
    }
  }
}
