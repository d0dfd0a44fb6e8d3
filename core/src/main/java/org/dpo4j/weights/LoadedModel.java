package org.dpo4j.weights;

import java.util.List;
import java.util.Set;
import org.dpo4j.model.AdapterSlot;
import org.dpo4j.model.CausalLm;
import org.dpo4j.model.lora.LoraPlan;

/**
 * A model with its origin.
 *
 * @param folder holds config, weights and tokenizer
 * @param config as read
 * @param checkpoint the files' headers
 * @param names the names of the model's weights in the checkpoint
 * @param model without gradients
 */
public record LoadedModel(
    ModelFolder folder,
    HuggingFaceConfig config,
    Checkpoint checkpoint,
    WeightNames names,
    CausalLm model)
    implements AutoCloseable {

  private static final String END_TOKENS = "eos_token_id";

  /** The names of the linear layers, without the head: the last components of their paths. */
  public Set<String> linearLayers() {
    AdapterSlot head = model.head().slot();
    return LoraPlan.lastParts(
        model.parameters().slots().stream().filter(slot -> slot != head).toList());
  }

  /** The ids that end a completion: those of generation_config.json, else of config.json. */
  public List<Integer> endTokenIds() {
    return folder
        .find(ModelFolder.GENERATION_CONFIG)
        .map(file -> HuggingFaceConfig.read(file).tokenIds(END_TOKENS))
        .filter(ids -> !ids.isEmpty())
        .orElseGet(
            () -> {
              List<Integer> ids = config.tokenIds(END_TOKENS);
              return ids.isEmpty() ? config.text().tokenIds(END_TOKENS) : ids;
            });
  }

  /**
   * Generation settings in generation_config.json that dpo4j does not read, each as {@code key
   * value} and in the file's order.
   */
  public List<String> unreadGenerationSettings() {
    return folder
        .find(ModelFolder.GENERATION_CONFIG)
        .map(HuggingFaceConfig::read)
        .map(
            settings ->
                settings.values(GenerationKeys.CHANGE_ANSWERS::contains).entrySet().stream()
                    .map(entry -> entry.getKey() + " " + entry.getValue())
                    .toList())
        .orElse(List.of());
  }

  /** Frees the model's weights. */
  @Override
  public void close() {
    model.close();
  }
}
