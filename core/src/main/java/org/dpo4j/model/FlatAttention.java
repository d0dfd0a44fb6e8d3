package org.dpo4j.model;

import java.util.ArrayList;
import java.util.List;
import org.bytedeco.pytorch.DoubleOptional;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorVector;
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
        plan(whole, 0, 0, groupMask(whole, completions, like));
      } else {
        planLong(prompt, completions, like);
      }
    }
  }

  private void planLong(Span prompt, List<Span> completions, Tensor like) {
    int firstEnd = completions.isEmpty() ? prompt.end() : completions.get(0).end();
    int first = calls.size();
    plan(new Span(prompt.start(), firstEnd), 0, 0, null);
    for (Span completion : completions.stream().skip(1).toList()) {
      Tensor mask = causalMask(completion.tokens(), prompt.tokens() + completion.tokens(), like);
      plan(completion, prompt.tokens(), first, mask.unsqueeze(0).unsqueeze(0));
    }
  }

  private void plan(Span span, int prompt, int promptCall, @Nullable Tensor mask) {
    if (span.tokens() > 0) {
      calls.add(new Call(span.tokens(), prompt, promptCall, mask));
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
    // One split, not one slice a call: the gradient of each slice would be as large as the batch.
    TensorVector queries = pieces(query);
    TensorVector keys = pieces(repeatHeads(key, repeats));
    TensorVector values = pieces(repeatHeads(value, repeats));
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
                  new DoubleOptional(),
                  false)
              .squeeze(0)
              .transpose(0, 1));
    }
    return Tensors.cat(outputs, 0);
  }

  private TensorVector pieces(Tensor states) {
    return states.split_with_sizes(calls.stream().mapToLong(Call::tokens).toArray(), 0);
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
