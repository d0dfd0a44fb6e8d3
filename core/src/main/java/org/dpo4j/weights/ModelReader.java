package org.dpo4j.weights;

import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.dpo4j.DpoException;
import org.dpo4j.UsageException;
import org.dpo4j.model.CausalLm;

/** Builds a model from a folder in the Hugging Face layout. */
public final class ModelReader {

  private static final List<ModelFamily> FAMILIES =
      Stream.concat(Stream.of(new Gpt2Family()), Arrays.stream(LlamaFamily.values())).toList();

  /** Families that look like one of those above, and why they are not. */
  private static final Map<String, String> KNOWN =
      Map.of(
          "gemma2", "it caps attention scores and logits, which is not implemented here",
          "mixtral", "it is a mixture of experts",
          "qwen2_moe", "it is a mixture of experts",
          "qwen3_moe", "it is a mixture of experts");

  private ModelReader() {}

  /** As {@link #open(String, Path)}, for the folder that {@code --model} names. */
  public static LoadedModel open(Path folder) {
    return open("--model", folder);
  }

  /**
   * Reads config and weights. Sizes in the config are compared with the files' headers before
   * memory is taken.
   *
   * @param option that names the folder, for messages
   * @throws UsageException if there is no such folder
   * @throws DpoException if config and weights are not those of one model that is implemented here
   */
  public static LoadedModel open(String option, Path folder) {
    ModelFolder modelFolder = ModelFolder.of(option, folder);
    HuggingFaceConfig config = modelFolder.config();
    ModelFamily.Plan plan = family(config).plan(config);
    Checkpoint checkpoint = Checkpoint.open(folder);
    try (StrictLoad load = new StrictLoad(checkpoint, plan.rules())) {
      CausalLm model = plan.build(load);
      return new LoadedModel(modelFolder, config, checkpoint, load.finish(), model);
    }
  }

  static ModelFamily family(HuggingFaceConfig config) {
    if (config.given("quantization_config")) {
      throw new DpoException(
          "["
              + config.file()
              + "] \"quantization_config\" says that the weights are quantized, which is not"
              + " supported; use the checkpoint before quantization");
    }
    String type = config.modelType();
    return FAMILIES.stream()
        .filter(family -> family.modelType().equals(type))
        .findFirst()
        .orElseThrow(() -> notSupported(config, type));
  }

  private static DpoException notSupported(HuggingFaceConfig config, String type) {
    return new DpoException(
        "["
            + config.file()
            + "] model_type \""
            + type
            + "\" is not supported yet"
            + (KNOWN.containsKey(type) ? ": " + KNOWN.get(type) : "")
            + "; supported are "
            + FAMILIES.stream().map(ModelFamily::modelType).collect(Collectors.joining(", ")));
  }
}
