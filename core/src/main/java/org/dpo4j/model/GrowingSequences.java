package org.dpo4j.model;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.stream.IntStream;
import org.bytedeco.pytorch.Tensor;
import org.dpo4j.torch.NoGrad;
import org.dpo4j.torch.Pools;
import org.dpo4j.torch.TensorScope;
import org.dpo4j.torch.Tensors;

/**
 * Sequences that grow token by token, for generation. Keys and values of earlier tokens are kept,
 * so a new token costs one row of each layer, and a prompt is read once for all sequences that
 * begin with it. It has no gradients.
 */
public final class GrowingSequences implements AutoCloseable {

  /** New memory for keys has room for this many tokens more than are needed now. */
  private static final int ROOM = 64;

  /** Keys or values of one layer. */
  private static final class Kept {
    private Tensor prompt; // (prompt tokens, kvHeads, headDim)
    private Tensor rows; // (most, capacity, kvHeads, headDim); zero where nothing was written

    Kept(Tensor prompt, Tensor rows) {
      this.prompt = prompt;
      this.rows = rows;
    }

    /** All places of all rows, one after the other. */
    Tensor places() {
      return rows.flatten(0, 1);
    }

    void free() {
      Tensors.free(prompt);
      Tensors.free(rows);
    }
  }

  private final CausalLm model;
  private final int most;
  private final List<Kept> keys = new ArrayList<>(); // by layer
  private final List<Kept> values = new ArrayList<>(); // by layer
  private final int[] tokens; // by sequence: how many it has
  private int promptTokens;
  private int capacity;
  private int size;

  /**
   * Without a sequence yet.
   *
   * @param most number of sequences at a time
   */
  public GrowingSequences(CausalLm model, int most) {
    this.model = model;
    this.most = most;
    this.tokens = new int[most];
  }

  /** Number of sequences. */
  public int size() {
    return size;
  }

  /**
   * Reads a prompt, with which sequences can then {@linkplain #add begin}.
   *
   * @param prompt 1 to {@link CausalLm#maxPositions} ids
   * @return the logits of the token after it, shape (1, vocab)
   */
  public Tensor read(int[] prompt) {
    promptTokens = prompt.length;
    int last = prompt.length - 1;
    return logits(prompt, IntStream.rangeClosed(0, last).toArray(), this::readPrompt, last);
  }

  /** Adds a sequence, the last one from now on: the prompt that was read last. */
  public void add() {
    if (size == most) {
      throw new IllegalStateException("there is room for %d sequences".formatted(most));
    }
    try (TensorScope scope = TensorScope.open();
        NoGrad noGrad = NoGrad.open()) {
      reserve(promptTokens + 1);
      for (List<Kept> side : List.of(keys, values)) {
        for (Kept kept : side) {
          Tensors.rows(kept.rows.select(0, size), 0, 0, promptTokens).copy_(kept.prompt);
        }
      }
    }
    tokens[size++] = promptTokens;
  }

  /**
   * Appends a token to each sequence.
   *
   * @param next an id for each sequence; no sequence has {@link CausalLm#maxPositions} tokens yet
   * @return the logits of the tokens after them, shape (sequences, vocab)
   */
  public Tensor append(int[] next) {
    if (next.length != size) {
      throw new IllegalArgumentException(
          "%d sequences need a token each but got %d".formatted(size, next.length));
    }
    int[] positions = Arrays.copyOf(tokens, size);
    int longest = Arrays.stream(positions).max().orElseThrow() + 1;
    try (TensorScope scope = TensorScope.open();
        NoGrad noGrad = NoGrad.open()) {
      reserve(longest);
      for (int i = 0; i < size; i++) {
        tokens[i]++;
      }
      Tensor like = model.parameters().like();
      return scope.moveToOuter(logits(next, positions, new NewTokens(positions, longest, like), 0));
    }
  }

  /** Removes a sequence. The last one takes its number. */
  public void remove(int number) {
    size--;
    if (number == size) {
      return;
    }
    tokens[number] = tokens[size];
    try (TensorScope scope = TensorScope.open();
        NoGrad noGrad = NoGrad.open()) {
      for (List<Kept> side : List.of(keys, values)) {
        for (Kept kept : side) {
          Tensors.rows(kept.rows.select(0, number), 0, 0, tokens[number])
              .copy_(Tensors.rows(kept.rows.select(0, size), 0, 0, tokens[number]));
        }
      }
    }
  }

  /**
   * Runs the model.
   *
   * @param from the first token whose logits are computed
   */
  private Tensor logits(int[] ids, int[] positions, Attention attention, int from) {
    try (TensorScope scope = TensorScope.open();
        NoGrad noGrad = NoGrad.open();
        Pools.Hold spread = Pools.spreadAroundProducts()) {
      Tensor like = model.parameters().like();
      Tensor hidden =
          model.hiddenStates(
              Tensors.indices(like, ids), Tensors.indices(like, positions), attention);
      return scope.moveToOuter(model.logits(Tensors.rows(hidden, 0, from, ids.length)));
    }
  }

  /** Attention within a prompt, whose keys and values are kept. */
  private Tensor readPrompt(AttentionLayer layer, Tensor query, Tensor key, Tensor value) {
    keep(keys, layer.number(), key);
    keep(values, layer.number(), value);
    boolean narrow = layer.window() < promptTokens;
    return ScaledDotProduct.attend(
            layer,
            query.transpose(0, 1).unsqueeze(0),
            key.transpose(0, 1).unsqueeze(0),
            value.transpose(0, 1).unsqueeze(0),
            narrow ? CausalMask.of(promptTokens, promptTokens, layer.window(), query) : null)
        .squeeze(0)
        .transpose(0, 1);
  }

  private void keep(List<Kept> side, int layer, Tensor states) {
    try (TensorScope scope = TensorScope.open()) {
      Tensor copy = scope.disown(states.clone());
      if (layer < side.size()) {
        Tensors.free(side.get(layer).prompt);
        side.get(layer).prompt = copy;
      } else {
        Tensor rows = Tensors.zerosLike(states, most, capacity, states.size(1), states.size(2));
        side.add(new Kept(copy, scope.disown(rows)));
      }
    }
  }

  /** Makes room for sequences of so many tokens. */
  private void reserve(int longest) {
    if (longest <= capacity) {
      return;
    }
    int before = capacity;
    capacity = Math.min(model.maxPositions(), longest + Math.max(ROOM, longest / 2));
    for (List<Kept> side : List.of(keys, values)) {
      for (Kept kept : side) {
        try (TensorScope scope = TensorScope.open()) {
          Tensor old = kept.rows;
          Tensor rows = Tensors.zerosLike(old, most, capacity, old.size(2), old.size(3));
          Tensors.rows(rows, 1, 0, before).copy_(old);
          kept.rows = scope.disown(rows);
          Tensors.free(old);
        }
      }
    }
  }

  /** Attention of one new token of each sequence to its sequence. */
  private final class NewTokens implements Attention {
    private final int longest;
    private final Tensor places; // of the new tokens among all places, (sequences)
    private final Map<Integer, Tensor> masks = new HashMap<>(); // by window

    NewTokens(int[] positions, int longest, Tensor like) {
      this.longest = longest;
      places =
          Tensors.indices(
              like, IntStream.range(0, size).map(i -> i * capacity + positions[i]).toArray());
      Tensor number = Tensors.indices(like, IntStream.range(0, longest).toArray()).unsqueeze(0);
      Tensor ends = Tensors.indices(like, Arrays.copyOf(tokens, size)).unsqueeze(1);
      for (int window : model.windows()) {
        masks.computeIfAbsent(Math.min(window, longest), w -> mask(w, number, ends, like));
      }
      masks.computeIfAbsent(longest, w -> mask(w, number, ends, like));
    }

    /**
     * Hides what a sequence does not have or no longer sees, shape (sequences, 1, 1, longest).
     *
     * @param number of a key in its sequence, shape (1, longest)
     * @param ends number of tokens of each sequence, shape (sequences, 1)
     */
    private Tensor mask(int window, Tensor number, Tensor ends, Tensor like) {
      Tensor hidden = number.ge(ends).logical_or(number.lt(ends.sub(Tensors.scalar(window))));
      return Tensors.zerosLike(like, size, longest)
          .masked_fill(hidden, Tensors.scalar(Double.NEGATIVE_INFINITY))
          .view(size, 1, 1, longest);
    }

    @Override
    public Tensor attend(AttentionLayer layer, Tensor query, Tensor key, Tensor value) {
      Tensor mask = Objects.requireNonNull(masks.get(Math.min(layer.window(), longest)));
      long kvHeads = key.size(1);
      // The heads that share a key are rows of one product.
      Tensor grouped = query.reshape(size, kvHeads, query.size(1) / kvHeads, query.size(2));
      return ScaledDotProduct.attend(
              layer,
              grouped,
              all(keys.get(layer.number()), key),
              all(values.get(layer.number()), value),
              mask)
          .reshape(size, query.size(1), query.size(2));
    }

    /** Writes the new tokens' states and gives those of all, (sequences, kvHeads, longest, dim). */
    private Tensor all(Kept kept, Tensor states) {
      kept.places().index_copy_(0, places, states);
      return Tensors.rows(Tensors.rows(kept.rows, 0, 0, size), 1, 0, longest).transpose(1, 2);
    }
  }

  @Override
  public void close() {
    keys.forEach(Kept::free);
    values.forEach(Kept::free);
    keys.clear();
    values.clear();
  }
}
