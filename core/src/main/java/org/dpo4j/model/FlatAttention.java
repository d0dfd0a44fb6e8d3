package org.dpo4j.model;

import java.util.ArrayList;
import java.util.List;
import org.bytedeco.pytorch.DoubleOptional;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.dpo4j.batch.FlatSequences;
import org.dpo4j.torch.Tensors;
import org.jspecify.annotations.Nullable;

/**
 * Causal attention inside each sequence of a flat batch: a token sees its prompt and what comes
 * before it in its own completion, never another completion or another pair.
 *
 * <p>Which kernel calls that takes is planned once and serves all layers. A short group is one call
 * with a mask. In a long one, where a mask would be large and most of its work in vain, prompt and
 * first completion are one causal call, and each further completion is a call of its own whose keys
 * are the prompt's and its own.
 */
public final class FlatAttention implements Attention {

  /** Up to here the time of a call is mostly its fixed cost. */
  private static final int SHORT_GROUP = 256;

  /** Tokens one behind the other, from {@code start} (included) to {@code end} (not included). */
  private record Span(int start, int end) {
    int tokens() {
      return end - start;
    }

    Tensor of(Tensor states) {
      return Tensors.rows(states, 0, start, end);
    }
  }

  /** One kernel call; no mask means causal. */
  private record Call(Span queries, List<Span> keys, @Nullable Tensor mask) {
    Tensor keysOf(Tensor states) {
      return Tensors.cat(keys.stream().map(span -> span.of(states)).toList(), 0);
    }
  }

  private final List<Call> calls = new ArrayList<>();

  /**
   * Plans the calls; their masks belong to the scope that is open now.
   *
   * @param like gives the floating type
   */
  public FlatAttention(FlatSequences sequences, Tensor like) {
    for (FlatSequences.Group group : sequences.groups()) {
      Span prompt = new Span(group.start(), group.start() + group.promptTokens());
      List<Span> completions = completions(prompt, group.completionTokens());
      int end = completions.isEmpty() ? prompt.end() : last(completions).end();
      Span whole = new Span(group.start(), end);
      if (completions.size() > 1 && whole.tokens() <= SHORT_GROUP) {
        calls.add(new Call(whole, List.of(whole), groupMask(whole, completions, like)));
      } else {
        planLong(prompt, completions, like);
      }
    }
  }

  private void planLong(Span prompt, List<Span> completions, Tensor like) {
    int firstEnd = completions.isEmpty() ? prompt.end() : completions.get(0).end();
    Span first = new Span(prompt.start(), firstEnd);
    if (first.tokens() > 0) {
      calls.add(new Call(first, List.of(first), null));
    }
    for (Span completion :
        completions.subList(Math.min(1, completions.size()), completions.size())) {
      if (completion.tokens() > 0) {
        List<Span> keys = prompt.tokens() > 0 ? List.of(prompt, completion) : List.of(completion);
        calls.add(
            new Call(
                completion,
                keys,
                causalMask(completion.tokens(), prompt.tokens() + completion.tokens(), like)
                    .unsqueeze(0)
                    .unsqueeze(0)));
      }
    }
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
  public Tensor attend(int layer, Tensor query, Tensor key, Tensor value) {
    long repeats = query.size(1) / key.size(1);
    Tensor keys = repeatHeads(key, repeats);
    Tensor values = repeatHeads(value, repeats);
    List<Tensor> outputs = new ArrayList<>(calls.size());
    for (Call call : calls) {
      outputs.add(
          torch
              .scaled_dot_product_attention(
                  headsFirst(call.queries().of(query)),
                  headsFirst(call.keysOf(keys)),
                  headsFirst(call.keysOf(values)),
                  call.mask() == null ? Tensors.none() : Tensors.optional(call.mask()),
                  0.0,
                  call.mask() == null,
                  new DoubleOptional(),
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

  /** Causal, and no completion sees another one; shape (1, 1, tokens, tokens). */
  private static Tensor groupMask(Span whole, List<Span> completions, Tensor like) {
    Tensor mask = causalMask(whole.tokens(), whole.tokens(), like);
    for (Span completion : completions) {
      for (Span earlier : completions) {
        if (earlier.start() < completion.start()) {
          mask.narrow(0, completion.start() - whole.start(), completion.tokens())
              .narrow(1, earlier.start() - whole.start(), earlier.tokens())
              .fill_(Tensors.scalar(Double.NEGATIVE_INFINITY));
        }
      }
    }
    return mask.unsqueeze(0).unsqueeze(0);
  }

  /** 0 where query i of the last {@code queries} of {@code keys} sees key j, else -infinity. */
  private static Tensor causalMask(int queries, int keys, Tensor like) {
    return Tensors.zerosLike(like, queries, keys)
        .fill_(Tensors.scalar(Double.NEGATIVE_INFINITY))
        .triu(keys - queries + 1L);
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
