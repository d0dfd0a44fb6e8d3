package org.dpo4j.model;

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
 * or the state of a recurrence, so a new token costs one row of each layer, and a prompt is read
 * once for all sequences that begin with it. It has no gradients.
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

  /** The state of one layer with a recurrence. */
  private static final class KeptState {
    private List<Tensor> prompt; // each (1, ...)
    private final List<Tensor> rows; // each (most, ...)

    KeptState(List<Tensor> prompt, List<Tensor> rows) {
      this.prompt = prompt;
      this.rows = rows;
    }

    void free() {
      prompt.forEach(Tensors::free);
      rows.forEach(Tensors::free);
    }
  }

  private final CausalLm model;
  private final int most;
  private final Map<Integer, Kept> keys = new HashMap<>(); // by layer
  private final Map<Integer, Kept> values = new HashMap<>(); // by layer
  private final Map<Integer, KeptState> states = new HashMap<>(); // by layer
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
    return logits(prompt, IntStream.rangeClosed(0, last).toArray(), new PromptTokens(), last);
  }

  /** Adds a sequence, the last one from now on: the prompt that was read last. */
  public void add() {
    if (size == most) {
      throw new IllegalStateException("there is room for %d sequences".formatted(most));
    }
    try (TensorScope scope = TensorScope.open();
        NoGrad noGrad = NoGrad.open()) {
      reserve(promptTokens + 1);
      for (Map<Integer, Kept> side : List.of(keys, values)) {
        for (Kept kept : side.values()) {
          Tensors.rows(kept.rows.select(0, size), 0, 0, promptTokens).copy_(kept.prompt);
        }
      }
      for (KeptState kept : states.values()) {
        for (int i = 0; i < kept.rows.size(); i++) {
          kept.rows.get(i).select(0, size).copy_(kept.prompt.get(i).squeeze(0));
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
      for (Map<Integer, Kept> side : List.of(keys, values)) {
        for (Kept kept : side.values()) {
          Tensors.rows(kept.rows.select(0, number), 0, 0, tokens[number])
              .copy_(Tensors.rows(kept.rows.select(0, size), 0, 0, tokens[number]));
        }
      }
      for (KeptState kept : states.values()) {
        for (Tensor rows : kept.rows) {
          rows.select(0, number).copy_(rows.select(0, size));
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

  /** Attention within a prompt, whose keys, values and last state are kept. */
  private final class PromptTokens implements Attention {

    @Override
    public Tensor attend(AttentionLayer layer, Tensor query, Tensor key, Tensor value) {
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

    @Override
    public Tensor read(int layer, Recurrence recurrence, Tensor input) {
      Recurrence.Result result = recurrence.read(input.unsqueeze(0), recurrence.start(input));
      keep(layer, result.state());
      return result.output().squeeze(0);
    }
  }

  private void keep(Map<Integer, Kept> side, int layer, Tensor states) {
    try (TensorScope scope = TensorScope.open()) {
      Tensor copy = scope.disown(states.clone());
      Kept kept = side.get(layer);
      if (kept != null) {
        Tensors.free(kept.prompt);
        kept.prompt = copy;
      } else {
        Tensor rows = Tensors.zerosLike(states, most, capacity, states.size(1), states.size(2));
        side.put(layer, new Kept(copy, scope.disown(rows)));
      }
    }
  }

  private void keep(int layer, List<Tensor> state) {
    try (TensorScope scope = TensorScope.open()) {
      List<Tensor> copies = state.stream().map(part -> scope.disown(part.clone())).toList();
      KeptState kept = states.get(layer);
      if (kept != null) {
        kept.prompt.forEach(Tensors::free);
        kept.prompt = copies;
      } else {
        List<Tensor> rows =
            copies.stream().map(part -> scope.disown(rows(part, part.shape()))).toList();
        states.put(layer, new KeptState(copies, rows));
      }
    }
  }

  /** Memory for a state of each sequence, given the shape of that of one. */
  private Tensor rows(Tensor like, long[] shape) {
    long[] all = shape.clone();
    all[0] = most;
    return Tensors.zerosLike(like, all);
  }

  /** Makes room for sequences of so many tokens. */
  private void reserve(int longest) {
    if (longest <= capacity) {
      return;
    }
    int before = capacity;
    capacity = Math.min(model.maxPositions(), longest + Math.max(ROOM, longest / 2));
    for (Map<Integer, Kept> side : List.of(keys, values)) {
      for (Kept kept : side.values()) {
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
              all(kept(keys, layer.number()), key),
              all(kept(values, layer.number()), value),
              mask)
          .reshape(size, query.size(1), query.size(2));
    }

    @Override
    public Tensor read(int layer, Recurrence recurrence, Tensor input) {
      List<Tensor> kept =
          kept(states, layer).rows.stream().map(rows -> Tensors.rows(rows, 0, 0, size)).toList();
      Recurrence.Result result = recurrence.read(input.unsqueeze(1), kept);
      for (int i = 0; i < kept.size(); i++) {
        kept.get(i).copy_(result.state().get(i));
      }
      return result.output().squeeze(1);
    }

    private static <T> T kept(Map<Integer, T> byLayer, int layer) {
      return Objects.requireNonNull(byLayer.get(layer), "a prompt was read before");
    }

    /** Writes the new tokens' states and gives those of all, (sequences, kvHeads, longest, dim). */
    private Tensor all(Kept kept, Tensor states) {
      kept.places().index_copy_(0, places, states);
      return Tensors.rows(Tensors.rows(kept.rows, 0, 0, size), 1, 0, longest).transpose(1, 2);
    }
  }

  @Override
  public void close() {
    keys.values().forEach(Kept::free);
    values.values().forEach(Kept::free);
    states.values().forEach(KeptState::free);
    keys.clear();
    values.clear();
    states.clear();
  }
}
