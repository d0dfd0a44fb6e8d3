package org.dpo4j.model;

import java.util.Set;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;

/**
 * The smallest model there is: the logits of the next token are a row of a table, chosen by the
 * token before it. A prompt acts through its last token only.
 */
public final class BigramModel implements CausalLm {

  private final Parameters parameters = new Parameters();
  private final Tensor table; // (vocab, vocab)
  private final int vocabulary;

  public BigramModel(int vocabulary, ParameterSource source) {
    this.vocabulary = vocabulary;
    table =
        parameters.take(source, "table", ParameterSource.Kind.EMBEDDING, vocabulary, vocabulary);
  }

  @Override
  public Tensor hiddenStates(Tensor ids, Tensor positions, Attention attention) {
    return torch.embedding(table, ids);
  }

  @Override
  public Tensor logits(Tensor hidden) {
    return hidden;
  }

  @Override
  public Parameters parameters() {
    return parameters;
  }

  @Override
  public int vocabSize() {
    return vocabulary;
  }

  @Override
  public int maxPositions() {
    return 64;
  }

  @Override
  public Set<Integer> windows() {
    return Set.of();
  }

  @Override
  public BigramModel copy() {
    return new BigramModel(vocabulary, parameters.copies());
  }
}
