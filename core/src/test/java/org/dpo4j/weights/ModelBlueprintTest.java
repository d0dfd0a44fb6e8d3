package org.dpo4j.weights;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.dpo4j.model.CausalLm;
import org.dpo4j.model.ModelShape;
import org.dpo4j.model.ParameterSource;
import org.dpo4j.model.RandomParameters;
import org.dpo4j.torch.ElementType;
import org.dpo4j.torch.RandomNumbers;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Closes the gap between the sizes that a config gives and those of the model made from it. */
class ModelBlueprintTest {

  static List<Path> folders() throws IOException {
    List<Path> folders = new ArrayList<>();
    for (String kind : List.of("families", "models")) {
      try (Stream<Path> found = Files.list(ModelFolders.fixture(kind))) {
        found.filter(Files::isDirectory).sorted().forEach(folders::add);
      }
    }
    return folders;
  }

  /** A config gets no note unless it has keys of other families. */
  private static List<String> noted(Path folder) {
    return switch (folder.getFileName().toString()) {
      case "gpt2_foreign_keys" -> List.of("intermediate_size");
      case "llama_layer_types" -> List.of("layer_types", "sliding_window");
      default -> List.of();
    };
  }

  @ParameterizedTest
  @MethodSource("folders")
  void theSizesAreThoseOfTheModel(Path folder) {
    ModelBlueprint described = ModelBlueprint.read("model", folder);
    ModelBlueprint blueprint = described.of(described.checkpoint());
    ModelShape shape = blueprint.shape();
    assertThat(blueprint.config().unread()).isEqualTo(noted(folder));
    try (LoadedModel loaded = ModelReader.open(folder)) {
      CausalLm model = loaded.model();
      assertThat(shape.parameters()).isEqualTo(model.parameters().count());
      assertThat(shape.vocabSize()).isEqualTo(model.vocabSize());
      assertThat(blueprint.maxPositions()).isEqualTo(model.maxPositions());
      long matrices =
          model.parameters().all().stream()
              .filter(parameter -> parameter.name().startsWith(shape.blocks() + "."))
              .filter(parameter -> parameter.kind() == ParameterSource.Kind.MATRIX)
              .mapToLong(parameter -> parameter.tensor().numel())
              .sum();
      assertThat(shape.blockWeights()).isEqualTo(matrices);
      assertThat(model.parameters().slots().stream().map(slot -> slot.path()))
          .contains(shape.blocks() + ".0." + shape.linears().get(0).get(0).path());
    }
  }

  @ParameterizedTest
  @MethodSource("folders")
  void aModelOfFewerBlocksIsThatMuchSmaller(Path folder) {
    ModelBlueprint blueprint = ModelBlueprint.read("model", folder).withLayers(1);

    try (CausalLm model =
        blueprint.build(new RandomParameters(ElementType.F32, new RandomNumbers(5)))) {
      assertThat(blueprint.shape().layers()).isEqualTo(1);
      assertThat(model.parameters().count()).isEqualTo(blueprint.shape().parameters());
    }
  }
}
