package org.dpo4j.batch;

import java.nio.IntBuffer;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.function.Function;
import org.dpo4j.encode.EncodedCompletion;
import org.dpo4j.encode.EncodedExample;

/**
 * Cuts a list of examples into batches of neighbours by the number of tokens that are fed to the
 * model; an {@link ExampleBatch} feeds a prompt once, however many of its examples have it.
 * Examples keep their order: without padding, sorting them by length gains nothing.
 *
 * @param tokens largest size of a batch in tokens, at least 1; a longer example is a batch of its
 *     own
 */
public record TokenBudget(int tokens) {

  /** Enough rows for the matrix products to be fast, and logits that fit into memory. */
  public static final TokenBudget DEFAULT = new TokenBudget(2048);

  /**
   * For training, where activations are saved for the backward pass: enough rows for matrix
   * products to run at full speed, and few enough to bound memory whatever the micro-batch size.
   */
  public static final TokenBudget TRAINING = new TokenBudget(560);

  public TokenBudget {
    if (tokens < 1) {
      throw new IllegalArgumentException("tokens must be at least 1 but was " + tokens);
    }
  }

  /**
   * End of the batch that begins with an example.
   *
   * @param examples the data set
   * @param from index of the batch's first example, in [0, examples.size())
   * @return index after its last example, above {@code from}
   */
  public int end(List<EncodedExample> examples, int from) {
    Fed batch = new Fed();
    int end = from;
    do {
      batch.add(examples.get(end++));
    } while (end < examples.size() && batch.tokens + batch.more(examples.get(end)) <= tokens);
    return end;
  }

  /**
   * Cuts a micro-batch into as few pieces of similar size as the budget allows. An example whose
   * prompt is in a piece joins it while the budget lasts: elsewhere its prompt is fed once more.
   *
   * @param examples at least one
   * @param encoded the token ids of an example
   * @return the same examples in the same order, by piece
   */
  public <E> List<List<E>> pieces(List<E> examples, Function<E, EncodedExample> encoded) {
    Fed all = new Fed();
    examples.forEach(example -> all.add(encoded.apply(example)));
    long size = all.tokens / ((all.tokens - 1) / tokens + 1);
    List<List<E>> pieces = new ArrayList<>();
    int from = 0;
    Fed piece = new Fed();
    for (int i = 0; i < examples.size(); i++) {
      EncodedExample example = encoded.apply(examples.get(i));
      long most = piece.hasPromptOf(example) ? tokens : size;
      if (i > from && piece.tokens + piece.more(example) / 2 > most) { // closer to it without
        pieces.add(examples.subList(from, i));
        from = i;
        piece = new Fed();
      }
      piece.add(example);
    }
    pieces.add(examples.subList(from, examples.size()));
    return pieces;
  }

  /** The tokens that a growing batch feeds. */
  private static final class Fed {
    private final Set<IntBuffer> prompts = new HashSet<>(); // buffers are equal if their ids are
    private long tokens;

    boolean hasPromptOf(EncodedExample example) {
      return prompts.contains(IntBuffer.wrap(example.promptIds()));
    }

    long more(EncodedExample example) {
      long more = hasPromptOf(example) ? 0 : example.promptIds().length;
      for (EncodedCompletion completion : example.completions()) {
        more += completion.ids().length;
      }
      return more;
    }

    void add(EncodedExample example) {
      tokens += more(example);
      prompts.add(IntBuffer.wrap(example.promptIds()));
    }
  }
}
