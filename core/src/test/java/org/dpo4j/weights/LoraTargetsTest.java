package org.dpo4j.weights;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.function.Supplier;
import java.util.stream.Collectors;
import org.dpo4j.DpoException;
import org.dpo4j.model.AdapterSlot;
import org.dpo4j.model.lora.LoraConfig;
import org.dpo4j.model.lora.LoraPlan;
import org.dpo4j.model.lora.TargetModules;
import org.dpo4j.plan.AdapterShape;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/**
 * Closes: an adapter on other layers than PEFT's where none are named, for {@code all-linear}, or
 * with modules or blocks left out. The layers are recorded by {@code peft_targets.py} and {@code
 * peft_choices.py}.
 */
class LoraTargetsTest {

  private final Path folder;

  LoraTargetsTest(@TempDir Path folder) {
    this.folder = folder;
  }

  private static final JsonNode RECORDED =
      HuggingFaceConfig.tree(ModelFolders.fixture("peft_targets.json"));

  /** Without the models of text and images, whose text model is adapted by whole paths. */
  static List<String> modelTypes() {
    List<String> types = new ArrayList<>(ModelReader.modelTypes());
    Wrappers.ALL.forEach(wrapper -> types.remove(wrapper.modelType()));
    return types;
  }

  @ParameterizedTest
  @MethodSource("modelTypes")
  void theDefaultTargetsOfEachModelTypeAreThoseOfPeft(String modelType) {
    JsonNode expected = RECORDED.get(modelType).get("default");
    try (LoadedModel model = open(modelType)) {
      if (expected.isNull()) {
        assertThatThrownBy(
                () -> PeftAdapter.defaultTargets(modelType, model.linearLayers(), List.of()))
            .isInstanceOf(DpoException.class)
            .hasMessageContaining("target_modules must be given for a model of the type")
            .hasMessageContaining(
                "its linear layers are " + String.join(", ", model.linearLayers()) + ", and");
      } else {
        assertThat(layers(model, PeftAdapter.defaultTargets(modelType, Set.of(), List.of())))
            .isEqualTo(texts(expected));
      }
    }
  }

  /** Without experts, whose tensors PEFT adapts as it does linear layers. */
  static List<String> dense() {
    List<String> types = modelTypes();
    ExpertFamilies.ALL.forEach(family -> types.remove(family.modelType()));
    return types;
  }

  @ParameterizedTest
  @MethodSource("dense")
  void allLinearIsWhatPeftMakesOfItForEachModelType(String modelType) {
    Set<String> expected = texts(RECORDED.get(modelType).get("all-linear"));
    try (LoadedModel model = open(modelType)) {
      assertThat(layers(model, PeftAdapter.targets("all-linear"))).isEqualTo(expected);
      // The names in messages are of the same layers, as plan reads them from the config.
      Set<String> names =
          expected.stream()
              .map(path -> path.substring(path.lastIndexOf('.') + 1))
              .collect(Collectors.toCollection(TreeSet::new));
      assertThat(model.linearLayers()).isEqualTo(names);
      assertThat(ModelBlueprint.read("model", model.folder().path()).shape().linearLayers())
          .isEqualTo(names);
    }
  }

  @Test
  void theHeadIsNoneOfTheLinearLayersWhateverFilesCallIt() {
    try (LoadedModel model = open("gpt_neox")) {
      assertThat(model.linearLayers())
          .containsExactly("dense", "dense_4h_to_h", "dense_h_to_4h", "query_key_value");
      LoraConfig saved =
          new LoraConfig(
              2,
              2,
              0,
              false,
              new TargetModules.AllLinear(),
              List.of("embed_in", "lm_head"),
              Map.of(),
              Map.of());
      assertThat(LoraPlan.of(saved, model.model()).saved()).hasSize(2);
    }
  }

  static List<JsonNode> choices() {
    return JsonMapper.shared()
        .readTree(ModelFolders.fixture("peft_choices.json").toFile())
        .valueStream()
        .toList();
  }

  @ParameterizedTest
  @MethodSource("choices")
  void theLayersThatAnAdaptersFileLeavesOutAreThoseThatPeftLeavesOut(JsonNode choice)
      throws IOException {
    Path file = folder.resolve(PeftAdapter.CONFIG);
    Files.writeString(file, choice.get("config").toString());
    Path fixture = ModelFolders.fixture("families").resolve(choice.get("case").stringValue());
    try (LoadedModel model = ModelReader.open(fixture)) {
      Supplier<LoraConfig> reading =
          () ->
              PeftConfig.read(
                  HuggingFaceConfig.read(file), model.config().modelType(), model.linearLayers());
      if (choice.get("layers").isNull()) {
        assertThatThrownBy(() -> LoraPlan.of(reading.get(), model.model()))
            .isInstanceOf(DpoException.class);
        return;
      }
      LoraPlan plan = LoraPlan.of(reading.get(), model.model());
      assertThat(plan.layers())
          .extracting(AdapterSlot::path)
          .containsExactlyInAnyOrderElementsOf(texts(choice.get("layers")));
      AdapterShape planned =
          AdapterShape.of(reading.get(), ModelBlueprint.read("model", fixture).shape(), 0);
      assertThat(planned.ranks()).isEqualTo(8L * plan.layers().size());

      // What is written selects the same layers again, and is in Python's notation.
      JsonNode written = PeftConfig.write(reading.get(), plan, fixture, false);
      assertThat(written.get("exclude_modules").toString()).doesNotContain("(?<");
      Files.writeString(file, written.toString());
      assertThat(LoraPlan.of(reading.get(), model.model()).layers()).isEqualTo(plan.layers());
    }
  }

  private static LoadedModel open(String modelType) {
    String name = RECORDED.get(modelType).get("case").stringValue();
    return ModelReader.open(ModelFolders.fixture("families").resolve(name));
  }

  /** The paths of adapted layers, with # for their numbers. */
  private static Set<String> layers(LoadedModel model, TargetModules targets) {
    LoraConfig config = new LoraConfig(2, 2, 0, false, targets, List.of(), Map.of(), Map.of());
    return LoraPlan.of(config, model.model()).layers().stream()
        .map(AdapterSlot::path)
        .map(path -> path.replaceAll("\\.\\d+\\.", ".#."))
        .collect(Collectors.toCollection(TreeSet::new));
  }

  private static Set<String> texts(JsonNode list) {
    return list.valueStream()
        .map(JsonNode::stringValue)
        .collect(Collectors.toCollection(TreeSet::new));
  }
}
