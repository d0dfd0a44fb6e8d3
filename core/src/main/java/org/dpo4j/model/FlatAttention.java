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
 * <p>Prompt and first completion lie one behind the other and are one causal call. Any further
 * completion is a call of its own whose keys are the prompt's and its own. Masks are made once and
 * serve all layers.
 */
public final class FlatAttention implements Attention {

  private final FlatSequences sequences;
  private final List<List<Tensor>> masks; // by group, by further completion

  /**
   * Prepares the masks; they belong to the scope that is open now.
   *
   * @param like gives the floating type
   */
  public FlatAttention(FlatSequences sequences, Tensor like) {
    this.sequences = sequences;
    masks =
        sequences.groups().stream()
            .map(
                group ->
                    group.completionTokens().stream()
                        .skip(1)
                        .map(tokens -> mask(tokens, group.promptTokens(), like))
                        .toList())
            .toList();
  }

  @Override
  public Tensor attend(int layer, Tensor query, Tensor key, Tensor value) {
    long repeats = query.size(1) / key.size(1);
    Tensor keys = repeatHeads(key, repeats);
    Tensor values = repeatHeads(value, repeats);
    List<Tensor> outputs = new ArrayList<>();
    for (int g = 0; g < masks.size(); g++) {
      FlatSequences.Group group = sequences.groups().get(g);
      List<Integer> completions = group.completionTokens();
      int promptEnd = group.start() + group.promptTokens();
      int end = promptEnd + (completions.isEmpty() ? 0 : completions.get(0));
      if (end > group.start()) {
        outputs.add(
            attend(
                Tensors.rows(query, 0, group.start(), end),
                Tensors.rows(keys, 0, group.start(), end),
                Tensors.rows(values, 0, group.start(), end),
                null));
      }
      for (int c = 1; c < completions.size(); c++) {
        int start = end;
        end = start + completions.get(c);
        if (end > start) {
          outputs.add(
              attend(
                  Tensors.rows(query, 0, start, end),
                  withPrompt(keys, group.start(), promptEnd, start, end),
                  withPrompt(values, group.start(), promptEnd, start, end),
                  masks.get(g).get(c - 1)));
        }
      }
    }
    return Tensors.cat(outputs, 0);
  }

  /** Shapes (tokens, heads, headDim) in and out; a null mask means causal. */
  private static Tensor attend(Tensor query, Tensor key, Tensor value, @Nullable Tensor mask) {
    return torch
        .scaled_dot_product_attention(
            query.transpose(0, 1).unsqueeze(0),
            key.transpose(0, 1).unsqueeze(0),
            value.transpose(0, 1).unsqueeze(0),
            mask == null ? Tensors.none() : Tensors.optional(mask),
            0.0,
            mask == null,
            new DoubleOptional(),
            false)
        .squeeze(0)
        .transpose(0, 1);
  }

  private static Tensor withPrompt(
      Tensor states, int promptStart, int promptEnd, int start, int end) {
    Tensor own = Tensors.rows(states, 0, start, end);
    return promptStart == promptEnd
        ? own
        : Tensors.cat(List.of(Tensors.rows(states, 0, promptStart, promptEnd), own), 0);
  }

  /** 0 where token i of a completion sees key j of prompt and completion, else -infinity. */
  private static Tensor mask(int tokens, int promptTokens, Tensor like) {
    return Tensors.zerosLike(like, tokens, promptTokens + tokens)
        .fill_(Tensors.scalar(Double.NEGATIVE_INFINITY))
        .triu(promptTokens + 1L)
        .unsqueeze(0)
        .unsqueeze(0);
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
