package org.dpo4j.generate;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.Deque;
import java.util.Iterator;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.PriorityQueue;
import java.util.Set;
import java.util.SplittableRandom;
import java.util.function.Supplier;
import org.bytedeco.pytorch.Tensor;
import org.dpo4j.model.CausalLm;
import org.dpo4j.model.GrowingSequences;
import org.dpo4j.torch.NoGrad;
import org.dpo4j.torch.TensorScope;
import org.dpo4j.torch.Tensors;
import org.jspecify.annotations.Nullable;

/**
 * Completions that are generated at the same time, each as its own request asks. A new one takes
 * the place of one that ended. One thread uses it.
 */
final class GrowingBatch implements AutoCloseable {

  /** A completion that grows. */
  private static final class Growing {
    private final Generator.Request request;
    private final int number; // among the request's
    private final SplittableRandom random;
    private final Set<Integer> seen; // of prompt and completion; empty if nobody asks
    private int last;
    private int length;

    Growing(Generator.Request request, int number) {
      this.request = request;
      this.number = number;
      this.random = request.random(number);
      this.seen = new LinkedHashSet<>();
      if (request.sampler().looksBack()) {
        for (int id : request.prompt()) {
          seen.add(id);
        }
      }
    }

    int[] earlier() {
      return seen.stream().mapToInt(Integer::intValue).toArray();
    }

    void add(int id) {
      last = id;
      length++;
      if (request.sampler().looksBack()) {
        seen.add(id);
      }
    }

    void end(Generator.@Nullable Token end) {
      request.receiver().ended(number, end);
    }
  }

  private final CausalLm model;
  private final Set<Integer> endTokens;
  private final int size;
  private final GrowingSequences sequences;
  private final Deque<Growing> waiting = new ArrayDeque<>(); // of the prompt that was read last
  private final List<Growing> growing = new ArrayList<>(); // in the order of the sequences

  /**
   * @param size number of completions at a time
   */
  GrowingBatch(CausalLm model, Set<Integer> endTokens, int size) {
    this.model = model;
    this.endTokens = endTokens;
    this.size = size;
    this.sequences = new GrowingSequences(model, size);
  }

  /** Whether every completion has ended. */
  boolean isIdle() {
    return waiting.isEmpty() && growing.isEmpty();
  }

  /** Whether a completion of another prompt would have a place. */
  boolean hasRoom() {
    return growing.size() + waiting.size() < size;
  }

  /** Number of completions that have not ended. */
  int unfinished() {
    return growing.size() + waiting.size();
  }

  /**
   * Reads a prompt and samples the first token of its completions.
   *
   * @param request whose prompt is {@linkplain Generator#check checked}
   */
  void begin(Generator.Request request) {
    placeWaiting();
    List<Growing> all = new ArrayList<>();
    for (int i = 0; i < request.completions(); i++) {
      all.add(new Growing(request, i));
    }
    if (limit(request) == 0) {
      all.forEach(completion -> completion.end(null));
      return;
    }
    List<Generator.Token> first = sampled(() -> sequences.read(request.prompt()), all);
    for (int i = 0; i < all.size(); i++) {
      if (take(all.get(i), first.get(i))) {
        waiting.add(all.get(i));
      }
    }
  }

  /** Samples another token of each completion. */
  void step() {
    removeCancelled();
    placeWaiting();
    if (growing.isEmpty()) {
      return;
    }
    int[] last = growing.stream().mapToInt(completion -> completion.last).toArray();
    List<Generator.Token> next = sampled(() -> sequences.append(last), growing);
    for (int i = growing.size() - 1; i >= 0; i--) {
      if (!take(growing.get(i), next.get(i))) {
        remove(i);
      }
    }
  }

  /** Ends all completions that have not ended. */
  void cancelAll() {
    waiting.forEach(completion -> completion.end(null));
    growing.forEach(completion -> completion.end(null));
    waiting.clear();
    growing.clear();
  }

  private int limit(Generator.Request request) {
    return Math.min(request.maxNewTokens(), model.maxPositions() - request.prompt().length);
  }

  private void placeWaiting() {
    while (growing.size() < size && !waiting.isEmpty()) {
      sequences.add();
      growing.add(waiting.remove());
    }
  }

  private void removeCancelled() {
    for (Iterator<Growing> all = waiting.iterator(); all.hasNext(); ) {
      Growing completion = all.next();
      if (completion.request.receiver().cancelled()) {
        completion.end(null);
        all.remove();
      }
    }
    for (int i = growing.size() - 1; i >= 0; i--) {
      if (growing.get(i).request.receiver().cancelled()) {
        growing.get(i).end(null);
        remove(i);
      }
    }
  }

  private void remove(int i) {
    sequences.remove(i);
    growing.set(i, growing.get(growing.size() - 1));
    growing.remove(growing.size() - 1);
  }

  /** Takes a sampled token; returns whether the completion goes on. */
  private boolean take(Growing completion, Generator.Token token) {
    if (endTokens.contains(token.id())) {
      completion.end(token);
      return false;
    }
    completion.add(token.id());
    if (!completion.request.receiver().token(completion.number, token)
        || completion.length == limit(completion.request)) {
      completion.end(null);
      return false;
    }
    return true;
  }

  private List<Generator.Token> sampled(Supplier<Tensor> logits, List<Growing> completions) {
    try (TensorScope scope = TensorScope.open();
        NoGrad noGrad = NoGrad.open()) {
      return sample(logits.get(), completions);
    }
  }

  /**
   * Samples a token for each completion, from its row of the logits or from the only row.
   *
   * @param logits shape (completions, vocab) or (1, vocab)
   */
  private static List<Generator.Token> sample(Tensor logits, List<Growing> completions) {
    TokenSampler.requireFinite(logits);
    int rows = (int) logits.size(0);
    int[] tokens = new int[completions.size()];
    int[] places = new int[tokens.length];
    float[] weights = new float[0];
    for (int i = 0; i < tokens.length; i++) {
      Growing completion = completions.get(i);
      if (i < rows) { // completions that share a row are of one request, and have the same past
        try (TensorScope scope = TensorScope.open()) {
          weights =
              completion
                  .request
                  .sampler()
                  .weights(Tensors.rows(logits, 0, i, i + 1), completion.earlier());
        }
      }
      tokens[i] = completion.request.sampler().pick(weights, completion.random);
      places[i] = Math.min(i, rows - 1) * weights.length + tokens[i];
    }
    Tensor all = logits.logsumexp(new long[] {1}, false);
    double[] logProbs =
        Tensors.toDoubles(
            logits.flatten().index_select(0, Tensors.indices(logits, places)).sub(all));
    List<Generator.Token> sampled = new ArrayList<>();
    List<Generator.Alternative> alternatives = List.of();
    for (int i = 0; i < tokens.length; i++) {
      int asked = completions.get(i).request.alternatives();
      if (asked > 0 && i < rows) {
        alternatives = alternatives(logits, all, i, asked);
      }
      sampled.add(
          new Generator.Token(tokens[i], logProbs[i], asked > 0 ? alternatives : List.of()));
    }
    return sampled;
  }

  /** The most probable tokens of a row, the most probable first. */
  private static List<Generator.Alternative> alternatives(
      Tensor logits, Tensor logSum, int row, int count) {
    double[] logProbs;
    try (TensorScope scope = TensorScope.open()) {
      logProbs =
          Tensors.toDoubles(
              Tensors.rows(logits, 0, row, row + 1).sub(Tensors.rows(logSum, 0, row, row + 1)));
    }
    PriorityQueue<Integer> top =
        new PriorityQueue<>(Comparator.comparingDouble((Integer id) -> logProbs[id]));
    for (int id = 0; id < logProbs.length; id++) {
      if (top.size() < count) {
        top.add(id);
      } else if (logProbs[id] > logProbs[top.element()]) {
        top.remove();
        top.add(id);
      }
    }
    return top.stream()
        .sorted(Comparator.comparingDouble((Integer id) -> -logProbs[id]).thenComparing(id -> id))
        .map(id -> new Generator.Alternative(id, logProbs[id]))
        .toList();
  }

  @Override
  public void close() {
    sequences.close();
  }
}
