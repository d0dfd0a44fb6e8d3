package org.dpo4j.model;

import java.util.List;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.dpo4j.torch.TensorScope;
import org.dpo4j.torch.Tensors;

/**
 * The smallest model there is: the logits of the next token are a row of a table, chosen by the
 * token before it. A prompt acts through its last token only.
 */
public final class BigramModel implements CausalLm {

  private final Parameters parameters = new Parameters();
  private final Tensor table; // (vocab, vocab)
  private final Tensor identity; // (vocab, vocab)
  private final int vocabulary;

  public BigramModel(int vocabulary, ParameterSource source) {
    this.vocabulary = vocabulary;
    table =
        parameters.take(source, "table", ParameterSource.Kind.EMBEDDING, vocabulary, vocabulary);
    try (TensorScope scope = TensorScope.open()) {
      identity =
          scope.disown(
              torch.eye(vocabulary).to(table.scalar_type().intern())); // not a weight of the model
    }
  }

  @Override
  public List<EmbeddingTable> embeddingTables() {
    return List.of(new EmbeddingTable(table, false));
  }

  @Override
  public List<DecoderBlock> blocks() {
    return List.of();
  }

  @Override
  public Node finalNorm(Node states) {
    return states;
  }

  @Override
  public Linear head() {
    return new Linear(identity, null);
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
  public BigramModel copy() {
    return new BigramModel(vocabulary, parameters.copies());
  }

  @Override
  public void close() {
    parameters.close();
    Tensors.free(identity);
  }
}
