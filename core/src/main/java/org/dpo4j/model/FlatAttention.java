package org.dpo4j.model;

import java.util.ArrayList;
import java.util.Collection;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.bytedeco.pytorch.DoubleOptional;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorVector;
import org.bytedeco.pytorch.global.torch;
import org.dpo4j.batch.FlatSequences;
import org.dpo4j.torch.Tensors;
import org.jspecify.annotations.Nullable;

/**
 * Causal attention inside each sequence of a flat batch: a token sees its prompt and what comes
 * before it in its own completion, never another completion or another pair; in a layer with a
 * window, only so far back, counted in its own sequence.
 *
 * <p>Which kernel calls that takes is planned once for all layers of one window. A short group is
 * one call with a mask. In a long one, where a mask would be large and most of its work in vain,
 * prompt and first completion are one causal call, and each further completion is a call of its own
 * whose keys are the prompt's and its own.
 */
public final class FlatAttention implements Attention {

  /** Up to here the time of a call is mostly its fixed cost. */
  private static final int SHORT_GROUP = 256;

  /** Tokens one behind the other, from {@code start} (included) to {@code end} (not included). */
  private record Span(int start, int end) {
    int tokens() {
      return end - start;
    }
  }

  /**
   * One kernel call.
   *
   * @param tokens of its queries, which are also keys; the queries of all calls are all tokens
   * @param prompt tokens of an earlier prompt that are keys too
   * @param promptCall the call that begins with that prompt
   * @param mask added to the scores; none means causal
   */
  private record Call(int tokens, int prompt, int promptCall, @Nullable Tensor mask) {

    /** The keys or values of this call from those of all calls. */
    Tensor keys(TensorVector pieces, int number) {
      return prompt == 0
          ? pieces.get(number)
          : Tensors.cat(
              List.of(Tensors.rows(pieces.get(promptCall), 0, 0, prompt), pieces.get(number)), 0);
    }
  }

  /** The calls of layers that share a window. */
  private static final class Plan {
    private final int window;
    private final Tensor like;
    private final List<Call> calls = new ArrayList<>();

    Plan(int window, Tensor like) {
      this.window = window;
      this.like = like;
    }

    void add(FlatSequences.Group group) {
      Span prompt = new Span(group.start(), group.start() + group.promptTokens());
      List<Span> completions = completions(prompt, group.completionTokens());
      int end = completions.isEmpty() ? prompt.end() : last(completions).end();
      Span whole = new Span(group.start(), end);
      if (completions.size() > 1 && whole.tokens() <= SHORT_GROUP) {
        add(whole, 0, 0, groupMask(whole, prompt, completions));
      } else {
        addLong(prompt, completions);
      }
    }

    private void addLong(Span prompt, List<Span> completions) {
      int firstEnd = completions.isEmpty() ? prompt.end() : completions.get(0).end();
      int first = calls.size();
      Span causal = new Span(prompt.start(), firstEnd);
      boolean narrow = window < causal.tokens();
      add(causal, 0, 0, narrow ? mask(causal.tokens(), causal.tokens()) : null);
      for (Span completion : completions.stream().skip(1).toList()) {
        Tensor mask = mask(completion.tokens(), prompt.tokens() + completion.tokens());
        add(completion, prompt.tokens(), first, mask);
      }
    }

    private void add(Span span, int prompt, int promptCall, @Nullable Tensor mask) {
      if (span.tokens() > 0) {
        Tensor all = mask == null ? null : mask.unsqueeze(0).unsqueeze(0); // for every head
        calls.add(new Call(span.tokens(), prompt, promptCall, all));
      }
    }

    private Tensor mask(int queries, int keys) {
      return CausalMask.of(queries, keys, window, like);
    }

    /** Each completion sees the prompt and itself; shape (tokens, tokens). */
    private Tensor groupMask(Span whole, Span prompt, List<Span> completions) {
      int promptTokens = prompt.tokens();
      Tensor mask = CausalMask.hidden(whole.tokens(), whole.tokens(), like);
      mask.narrow(0, 0, promptTokens)
          .narrow(1, 0, promptTokens)
          .copy_(mask(promptTokens, promptTokens));
      for (Span completion : completions) {
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

  private final int longest; // tokens of a sequence
  private final Map<Integer, Plan> plans = new HashMap<>();

  /**
   * Plans the calls; their masks belong to the scope that is open now.
   *
   * @param like gives the floating type
   * @param windows of the layers that have one, as {@link CausalLm#windows}
   */
  public FlatAttention(FlatSequences sequences, Tensor like, Collection<Integer> windows) {
    longest = sequences.groups().stream().mapToInt(FlatAttention::longest).max().orElse(0);
    for (int window : windows) {
      plans.computeIfAbsent(effective(window), w -> plan(sequences, w, like));
    }
    plans.computeIfAbsent(AttentionLayer.ALL, w -> plan(sequences, w, like));
  }

  private static int longest(FlatSequences.Group group) {
    return group.promptTokens()
        + group.completionTokens().stream().max(Comparator.naturalOrder()).orElse(0);
  }

  /** A window that reaches over every sequence is none. */
  private int effective(int window) {
    return window >= longest ? AttentionLayer.ALL : window;
  }

  private static Plan plan(FlatSequences sequences, int window, Tensor like) {
    Plan plan = new Plan(window, like);
    sequences.groups().forEach(plan::add);
    return plan;
  }

  private static List<Span> completions(Span prompt, List<Integer> tokens) {
    List<Span> spans = new ArrayList<>();
    int start = prompt.end();
    for (int count : tokens) {
      spans.add(new Span(start, start + count));
      start += count;
    }
    return spans;
  }

  private static Span last(List<Span> spans) {
    return spans.get(spans.size() - 1);
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
    // One split, not one slice a call: the gradient of each slice would be as large as the batch.
    TensorVector queries = query.split_with_sizes(tokens, 0);
    TensorVector keys = repeatHeads(key, repeats).split_with_sizes(tokens, 0);
    TensorVector values = repeatHeads(value, repeats).split_with_sizes(tokens, 0);
    List<Tensor> outputs = new ArrayList<>(calls.size());
    for (int i = 0; i < calls.size(); i++) {
      Call call = calls.get(i);
      outputs.add(
          torch
              .scaled_dot_product_attention(
                  headsFirst(queries.get(i)),
                  headsFirst(call.keys(keys, i)),
                  headsFirst(call.keys(values, i)),
                  call.mask() == null ? Tensors.none() : Tensors.optional(call.mask()),
                  0.0,
                  call.mask() == null,
                  new DoubleOptional(layer.scale()),
                  false)
              .squeeze(0)
              .transpose(0, 1));
    }
    return Tensors.cat(outputs, 0);
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
