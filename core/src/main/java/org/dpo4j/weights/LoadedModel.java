package org.dpo4j.weights;

import org.dpo4j.model.CausalLm;

/**
 * A model with where it came from.
 *
 * @param folder holds config, weights and tokenizer
 * @param config as read
 * @param checkpoint the files' headers
 * @param names what the checkpoint calls the model's weights
 * @param model gradients off, fp32
 */
public record LoadedModel(
    ModelFolder folder,
    HuggingFaceConfig config,
    Checkpoint checkpoint,
    WeightNames names,
    CausalLm model)
    implements AutoCloseable {

  /** Frees the model's weights. */
  @Override
  public void close() {
    model.close();
  }
}
