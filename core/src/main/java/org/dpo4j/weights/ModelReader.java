package org.dpo4j.weights;

import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.dpo4j.DpoException;
import org.dpo4j.OptionText;
import org.dpo4j.UsageException;
import org.dpo4j.model.CausalLm;
import org.dpo4j.model.WeightMemory;
import org.dpo4j.options.Suggestion;

/** Builds a model from a folder in the Hugging Face layout. */
public final class ModelReader {

  private static final List<ModelType> TYPES =
      Stream.<List<? extends ModelType>>of(
              GptFamilies.ALL,
              LlamaFamilies.ALL,
              NormFamilies.ALL,
              GemmaFamilies.ALL,
              LayerNormFamilies.ALL,
              ExpertFamilies.ALL,
              RecurrentFamilies.ALL,
              Wrappers.ALL)
          .<ModelType>flatMap(List::stream)
          .toList();

  private ModelReader() {}

  /** The {@code model_type} of each supported family. */
  static List<String> modelTypes() {
    return TYPES.stream().map(ModelType::modelType).toList();
  }

  /** As below for the folder that {@code --model} names, in fp32 for the processor. */
  public static LoadedModel open(Path folder) {
    return open("model", folder, WeightMemory.PLAIN);
  }

  /**
   * Reads config and weights. Sizes in the config are compared with the files' headers before
   * memory is allocated.
   *
   * @param option that names the folder, for messages
   * @param memory of the weights
   * @throws UsageException if there is no such folder
   * @throws DpoException if config and weights do not describe a supported model
   */
  public static LoadedModel open(String option, Path folder, WeightMemory memory) {
    ModelFolder modelFolder = ModelFolder.of(option, folder);
    HuggingFaceConfig config = modelFolder.config();
    ModelPlan plan = plan(modelFolder, config);
    Checkpoint checkpoint = Checkpoint.open(folder).of(plan.rules());
    plan = plan.of(checkpoint);
    try (StrictLoad load =
        new StrictLoad(checkpoint, plan.rules(), memory, plan.config().blocks())) {
      CausalLm model = plan.build(load);
      return new LoadedModel(modelFolder, config, checkpoint, load.finish(), model);
    }
  }

  /**
   * Reads a folder's config into a plan.
   *
   * @throws DpoException if transformers would load a model from the folder that is not supported
   */
  static ModelPlan plan(ModelFolder folder, HuggingFaceConfig config) {
    if (folder.find(PeftConfig.FILE).isPresent()) {
      throw new DpoException(
          "["
              + folder.path().resolve(PeftConfig.FILE)
              + OptionText.of(
                  "] an adapter lies in the model's folder; transformers would put it on the model."
                      + " Move adapter_config.json and adapter_model.safetensors to a folder of their own,"
                      + " and name that with {adapter} to use them"));
    }
    ModelType type = type(config); // what it is says more than which keys it has
    ModelPlan plan = type.plan(config);
    checkArchitecture(config, type);
    checkWeightsFile(folder, config);
    return plan;
  }

  /** TRL builds the class that is named first, regardless of model_type. */
  private static void checkArchitecture(HuggingFaceConfig config, ModelType type) {
    String named = config.architecture();
    boolean other =
        TYPES.stream().map(ModelType::architecture).anyMatch(named::equals)
            && !named.equals(type.architecture());
    if (other) {
      throw config.mustBe(
          "architectures", "[\"" + type.architecture() + "\"] for model_type " + type.modelType());
    }
  }

  private static void checkWeightsFile(ModelFolder folder, HuggingFaceConfig config) {
    String key = "transformers_weights";
    String read = folder.find(Checkpoint.SINGLE).isPresent() ? Checkpoint.SINGLE : Checkpoint.INDEX;
    if (!config.text(key, read).equals(read)) {
      throw config.notSupported(key, read + ", the file that is read here");
    }
  }

  private static ModelType type(HuggingFaceConfig config) {
    if (config.given("quantization_config")) {
      throw new DpoException(
          "["
              + config.file()
              + "] \"quantization_config\" says that the weights are quantized, which is not"
              + " supported; use the checkpoint before quantization");
    }
    String name = config.modelType();
    return TYPES.stream()
        .filter(type -> type.modelType().equals(name))
        .findFirst()
        .orElseThrow(() -> notSupported(config, name));
  }

  private static DpoException notSupported(HuggingFaceConfig config, String type) {
    List<String> supported = modelTypes();
    return new DpoException(
        "["
            + config.file()
            + "] model_type \""
            + type
            + "\" is not supported"
            + OtherModelTypes.reason(type)
                .map(reason -> ": " + reason)
                .orElseGet(
                    () ->
                        Suggestion.nearest(type, supported)
                            .map(nearest -> "; the nearest that is supported is " + nearest)
                            .orElse(""))
            + "; docs/reference/models.md lists the "
            + supported.size()
            + " types that are");
  }
}
