package org.dpo4j.model;

import java.util.List;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.dpo4j.torch.TensorScope;
import org.dpo4j.torch.Tensors;
import org.jspecify.annotations.Nullable;

/**
 * The smallest model there is: the logits of the next token are a row of a table, chosen by the
 * token before it. A prompt acts through its last token only. The head may have a bias, which no
 * family has.
 */
public final class BigramModel implements CausalLm {

  private final Parameters parameters = new Parameters();
  private final Tensor table; // (vocab, vocab)
  private final Tensor identity; // (vocab, vocab)
  private final @Nullable Tensor bias; // (vocab), of the head
  private final int vocabulary;

  public BigramModel(int vocabulary, ParameterSource source) {
    this(vocabulary, source, false);
  }

  public BigramModel(int vocabulary, ParameterSource source, boolean headBias) {
    this.vocabulary = vocabulary;
    table =
        parameters.take(source, "table", ParameterSource.Kind.EMBEDDING, vocabulary, vocabulary);
    bias = headBias ? parameters.take(source, "bias", ParameterSource.Kind.BIAS, vocabulary) : null;
    try (TensorScope scope = TensorScope.open()) {
      identity =
          scope.disown(
              torch.eye(vocabulary).to(table.scalar_type().intern())); // not a weight of the model
    }
  }

  @Override
  public List<EmbeddingTable> embeddingTables() {
    return List.of(EmbeddingTable.ofTokens(table, 1, EmbeddingTable.NONE, null));
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
    return new Linear(identity, bias);
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
    return new BigramModel(vocabulary, parameters.copies(), bias != null);
  }

  @Override
  public void close() {
    parameters.close();
    Tensors.free(identity);
  }
}
