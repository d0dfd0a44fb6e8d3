package org.dpo4j.run;

import java.nio.file.Path;
import org.dpo4j.UsageException;
import org.dpo4j.encode.EncodingLimits;
import org.dpo4j.encode.PairEncoder;
import org.dpo4j.model.CausalLm;
import org.dpo4j.tokenizer.ModelTokenizer;
import org.dpo4j.weights.LoadedModel;
import org.dpo4j.weights.ModelReader;

/**
 * A model folder, opened: weights and text side.
 *
 * @param loaded the weights, gradients off
 * @param tokenizer the text side
 */
record LoadedInputs(LoadedModel loaded, ModelTokenizer tokenizer) implements AutoCloseable {

  static LoadedInputs open(Path folder) {
    ModelTokenizer tokenizer = ModelTokenizer.load(folder);
    try {
      return new LoadedInputs(ModelReader.open("--model", folder), tokenizer);
    } catch (RuntimeException e) {
      tokenizer.close();
      throw e;
    }
  }

  CausalLm model() {
    return loaded.model();
  }

  /**
   * An encoder for this model; refuses a {@code max_length} that the model has no positions for.
   */
  PairEncoder encoder(int maxLength) {
    if (maxLength > model().maxPositions()) {
      throw new UsageException(
          "--max_length must be at most %d, the model's positions, but was %d; pass --max_length %d"
              .formatted(model().maxPositions(), maxLength, model().maxPositions()));
    }
    return new PairEncoder(
        tokenizer.text(),
        tokenizer.template(),
        tokenizer.specialTokens(),
        new EncodingLimits(maxLength, model().maxPositions(), model().vocabSize()));
  }

  @Override
  public void close() {
    loaded.close();
    tokenizer.close();
  }
}
