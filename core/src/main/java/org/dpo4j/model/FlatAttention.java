package org.dpo4j.model;

import java.util.ArrayList;
import java.util.Collection;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.LongStream;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorVector;
import org.dpo4j.batch.FlatSequences;
import org.dpo4j.torch.Tensors;
import org.jspecify.annotations.Nullable;

/**
 * Causal attention, or a recurrence, within each sequence of a flat batch, with libtorch's kernel
 * and autograd. A token sees its prompt and the tokens before it in its completion, but no other
 * completion and no other pair. In a layer with a window it sees the last tokens of its sequence
 * only.
 *
 * <p>The kernel calls are planned once for all layers with the same window. A short group (a prompt
 * with its completions) is one call with a mask. In a long group a mask would be large and would
 * hide most of the computed scores: there, the prompt and the first completion are one causal call,
 * and every further completion is a call with the prompt's keys and its own.
 *
 * <p>A recurrence reads a prompt once; each of its completions goes on from the state after it.
 */
public final class FlatAttention implements Attention {

  /** Number of tokens up to which the fixed cost dominates the time of a call. */
  private static final int SHORT_GROUP = 256;

  /** Consecutive tokens from {@code start} (inclusive) to {@code end} (exclusive). */
  private record TokenRange(int start, int end) {
    int tokens() {
      return end - start;
    }
  }

  /**
   * One kernel call.
   *
   * @param tokens number of query tokens, which are keys too; the calls partition all tokens
   * @param prompt number of tokens of an earlier prompt that are keys too
   * @param promptCall index of the call that begins with that prompt
   * @param mask added to the scores; null for a causal call
   */
  private record Call(int tokens, int prompt, int promptCall, @Nullable Tensor mask) {

    /** The keys or values of this call, from the pieces of all calls. */
    Tensor keys(TensorVector pieces, int number) {
      return prompt == 0
          ? pieces.get(number)
          : Tensors.cat(
              List.of(Tensors.rows(pieces.get(promptCall), 0, 0, prompt), pieces.get(number)), 0);
    }
  }

  /** The calls of all layers with the same window. */
  private static final class Plan {
    private final int window;
    private final Tensor like;
    private final List<Call> calls = new ArrayList<>();

    Plan(int window, Tensor like) {
      this.window = window;
      this.like = like;
    }

    void add(FlatSequences.Group group) {
      TokenRange prompt = new TokenRange(group.start(), group.start() + group.promptTokens());
      List<TokenRange> completions = completions(prompt, group.completionTokens());
      int end = completions.isEmpty() ? prompt.end() : last(completions).end();
      TokenRange whole = new TokenRange(group.start(), end);
      if (completions.size() > 1 && whole.tokens() <= SHORT_GROUP) {
        add(whole, 0, 0, groupMask(whole, prompt, completions));
      } else {
        addLong(prompt, completions);
      }
    }

    private void addLong(TokenRange prompt, List<TokenRange> completions) {
      int firstEnd = completions.isEmpty() ? prompt.end() : completions.get(0).end();
      int first = calls.size();
      TokenRange causal = new TokenRange(prompt.start(), firstEnd);
      boolean narrow = window < causal.tokens();
      add(causal, 0, 0, narrow ? mask(causal.tokens(), causal.tokens()) : null);
      for (TokenRange completion : completions.stream().skip(1).toList()) {
        Tensor mask = mask(completion.tokens(), prompt.tokens() + completion.tokens());
        add(completion, prompt.tokens(), first, mask);
      }
    }

    private void add(TokenRange range, int prompt, int promptCall, @Nullable Tensor mask) {
      if (range.tokens() > 0) {
        Tensor all = mask == null ? null : mask.unsqueeze(0).unsqueeze(0); // for every head
        calls.add(new Call(range.tokens(), prompt, promptCall, all));
      }
    }

    private Tensor mask(int queries, int keys) {
      return CausalMask.of(queries, keys, window, like);
    }

    /** Lets each completion see the prompt and itself; shape (tokens, tokens). */
    private Tensor groupMask(TokenRange whole, TokenRange prompt, List<TokenRange> completions) {
      int promptTokens = prompt.tokens();
      Tensor mask = CausalMask.hidden(whole.tokens(), whole.tokens(), like);
      mask.narrow(0, 0, promptTokens)
          .narrow(1, 0, promptTokens)
          .copy_(mask(promptTokens, promptTokens));
      for (TokenRange completion : completions) {
        int tokens = completion.tokens();
        Tensor sees = mask(tokens, promptTokens + tokens);
        Tensor rows = mask.narrow(0, completion.start() - whole.start(), tokens);
        rows.narrow(1, 0, promptTokens).copy_(sees.narrow(1, 0, promptTokens));
        rows.narrow(1, completion.start() - whole.start(), tokens)
            .copy_(sees.narrow(1, promptTokens, tokens));
      }
      return mask;
    }
  }

  private final List<FlatSequences.Group> groups;
  private final long[] pieceTokens; // of each group the prompt, then the completions
  private final int longest; // tokens of the longest sequence
  private final Map<Integer, Plan> plans = new HashMap<>();

  /**
   * Plans the calls. The caller's scope owns the masks.
   *
   * @param like tensor whose type and device the masks take
   * @param windows windows of the layers that have one, as {@link CausalLm#windows}
   */
  public FlatAttention(FlatSequences sequences, Tensor like, Collection<Integer> windows) {
    groups = sequences.groups();
    pieceTokens =
        groups.stream()
            .flatMapToLong(
                group ->
                    LongStream.concat(
                        LongStream.of(group.promptTokens()),
                        group.completionTokens().stream().mapToLong(Integer::longValue)))
            .toArray();
    longest = groups.stream().mapToInt(FlatAttention::longest).max().orElse(0);
    for (int window : windows) {
      plans.computeIfAbsent(effective(window), w -> plan(sequences, w, like));
    }
    plans.computeIfAbsent(AttentionLayer.ALL, w -> plan(sequences, w, like));
  }

  private static int longest(FlatSequences.Group group) {
    return group.promptTokens()
        + group.completionTokens().stream().max(Comparator.naturalOrder()).orElse(0);
  }

  /** The window, or {@link AttentionLayer#ALL} if no sequence is longer. */
  private int effective(int window) {
    return window >= longest ? AttentionLayer.ALL : window;
  }

  private static Plan plan(FlatSequences sequences, int window, Tensor like) {
    Plan plan = new Plan(window, like);
    sequences.groups().forEach(plan::add);
    return plan;
  }

  private static List<TokenRange> completions(TokenRange prompt, List<Integer> tokens) {
    List<TokenRange> ranges = new ArrayList<>();
    int start = prompt.end();
    for (int count : tokens) {
      ranges.add(new TokenRange(start, start + count));
      start += count;
    }
    return ranges;
  }

  private static TokenRange last(List<TokenRange> ranges) {
    return ranges.get(ranges.size() - 1);
  }

  @Override
  public Tensor attend(AttentionLayer layer, Tensor query, Tensor key, Tensor value) {
    Plan plan = plans.get(effective(layer.window()));
    if (plan == null) {
      throw new IllegalArgumentException("no call is planned for a window of " + layer.window());
    }
    List<Call> calls = plan.calls;
    long[] tokens = calls.stream().mapToLong(Call::tokens).toArray();
    long repeats = query.size(1) / key.size(1);
    // One split instead of a slice per call: each slice would have a gradient of the batch's size.
    TensorVector queries = query.split_with_sizes(tokens, 0);
    TensorVector keys = repeatHeads(key, repeats).split_with_sizes(tokens, 0);
    TensorVector values = repeatHeads(value, repeats).split_with_sizes(tokens, 0);
    List<Tensor> outputs = new ArrayList<>(calls.size());
    for (int i = 0; i < calls.size(); i++) {
      Call call = calls.get(i);
      outputs.add(
          ScaledDotProduct.attend(
                  layer,
                  headsFirst(queries.get(i)),
                  headsFirst(call.keys(keys, i)),
                  headsFirst(call.keys(values, i)),
                  call.mask())
              .squeeze(0)
              .transpose(0, 1));
    }
    return Tensors.cat(outputs, 0);
  }

  @Override
  public Tensor read(int layer, Recurrence recurrence, Tensor input) {
    TensorVector pieces = input.split_with_sizes(pieceTokens, 0);
    List<Tensor> outputs = new ArrayList<>();
    int next = 0;
    for (FlatSequences.Group group : groups) {
      List<Tensor> start = recurrence.start(input);
      List<Tensor> afterPrompt = read(recurrence, pieces.get(next++), start, outputs);
      for (int i = 0; i < group.completionTokens().size(); i++) {
        read(recurrence, pieces.get(next++), afterPrompt, outputs);
      }
    }
    return Tensors.cat(outputs, 0);
  }

  /** Adds the output of some tokens of one sequence, and returns the state after them. */
  private static List<Tensor> read(
      Recurrence recurrence, Tensor piece, List<Tensor> state, List<Tensor> outputs) {
    if (piece.size(0) == 0) {
      return state;
    }
    Recurrence.Result result = recurrence.read(piece.unsqueeze(0), state);
    outputs.add(result.output().squeeze(0));
    return result.state();
  }

  /** (tokens, heads, headDim) to (1, heads, tokens, headDim). */
  private static Tensor headsFirst(Tensor states) {
    return states.transpose(0, 1).unsqueeze(0);
  }

  /** Grouped-query attention: each key and value head serves {@code repeats} query heads. */
  private static Tensor repeatHeads(Tensor states, long repeats) {
    if (repeats == 1) {
      return states;
    }
    long tokens = states.size(0);
    long heads = states.size(1);
    long headDim = states.size(2);
    return states
        .unsqueeze(2)
        .expand(tokens, heads, repeats, headDim)
        .reshape(tokens, heads * repeats, headDim);
  }
}
