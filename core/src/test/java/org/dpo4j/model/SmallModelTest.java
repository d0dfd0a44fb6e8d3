package org.dpo4j.model;

import static org.assertj.core.api.Assertions.assertThat;

import com.tngtech.archunit.core.domain.JavaClass;
import com.tngtech.archunit.core.importer.ClassFileImporter;
import com.tngtech.archunit.core.importer.ImportOption;
import java.lang.reflect.RecordComponent;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.dpo4j.model.lora.LoraModel;
import org.dpo4j.torch.ElementType;
import org.dpo4j.torch.TensorScope;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Closes: a switch of a family whose backward formula no gradient test runs. */
class SmallModelTest {

  /** Numbers of which one value is as good as another. */
  private static final Set<String> SIZES =
      Set.of(
          "vocabSize",
          "hiddenSize",
          "hidden",
          "heads",
          "depth",
          "maxPositions",
          "attention.heads",
          "attention.keyValueHeads",
          "attention.headDim",
          "mlp.width",
          "experts.count",
          "experts.chosen",
          "experts.width",
          "experts.shared.width",
          "experts.clamp.alpha",
          "experts.clamp.limit",
          "layers.rope.queryScaling.beta",
          "layers.rope.queryScaling.originalPositions",
          "embedding.positions.offset");

  /** Only autograd computes their gradients. */
  private static final Set<String> NOT_TAPED =
      Set.of("attention.gated", "recurrence", "layers.recurrent");

  private static Stream<Class<? extends Record>> configurations() {
    return Stream.of(SmallModel.values())
        .<Class<? extends Record>>map(SmallModelTest::type)
        .distinct();
  }

  private static Class<? extends Record> type(SmallModel model) {
    return model.config().getClass();
  }

  @Test
  void everyModelOfTheLibraryIsAmongThem() {
    Set<String> models =
        new ClassFileImporter()
                .withImportOption(new ImportOption.DoNotIncludeTests())
                .importPackages("org.dpo4j")
                .stream()
                .filter(type -> type.isAssignableTo(CausalLm.class) && !type.isInterface())
                .filter(type -> type.isTopLevelClass() && !type.isEquivalentTo(LoraModel.class))
                .map(JavaClass::getName)
                .collect(Collectors.toSet());
    Set<String> covered =
        Stream.of(SmallModel.values())
            .map(
                model -> {
                  try (TensorScope scope = TensorScope.open()) {
                    return model.create(ElementType.F32, 1).getClass().getName();
                  }
                })
            .collect(Collectors.toSet());

    assertThat(covered).isEqualTo(models);
  }

  @ParameterizedTest
  @MethodSource("configurations")
  void everySwitchIsSetInTwoWays(Class<? extends Record> family) throws Exception {
    Map<String, Set<Object>> values = new TreeMap<>();
    for (SmallModel model : SmallModel.values()) {
      if (family.isInstance(model.config())) {
        collect("", model.config(), values);
      }
    }
    values.values().removeIf(found -> found.stream().allMatch(Class.class::isInstance));
    values.forEach(
        (name, found) ->
            assertThat(found)
                .as("no small model sets %s of %s to another value", name, family.getSimpleName())
                .hasSizeGreaterThan(1));
  }

  @Test
  void everyActivationAndEveryScalingOfPositionsOccurs() throws Exception {
    Map<String, Set<Object>> values = new TreeMap<>();
    for (SmallModel model : SmallModel.values()) {
      collect("", model.config(), values);
    }
    assertThat(values.get("mlp.activation"))
        .containsExactlyInAnyOrder((Object[]) Activation.values());
    assertThat(values.get("layers.rope.scaling"))
        .containsExactlyInAnyOrder((Object[]) RopeScaling.class.getPermittedSubclasses());
  }

  /** Values by the path of the component; of lists those of all elements. */
  private static void collect(String prefix, Record record, Map<String, Set<Object>> values)
      throws ReflectiveOperationException {
    for (RecordComponent component : record.getClass().getRecordComponents()) {
      String name = component.getName();
      Object value = component.getAccessor().invoke(record);
      if (value instanceof RopeScaling scaling) {
        add(prefix + name, scaling.getClass(), values);
      } else if (value instanceof Record inner) {
        add(prefix + name, inner.getClass(), values);
        collect(prefix + name + ".", inner, values);
      } else if (value instanceof List<?> list) {
        for (Object element : list) {
          if (element instanceof Record inner) {
            collect(prefix + name + ".", inner, values);
          }
        }
      } else if (!SIZES.contains(prefix + name) && !NOT_TAPED.contains(prefix + name)) {
        add(prefix + name, value instanceof String ? String.class : value, values);
      }
    }
  }

  private static void add(String path, Object value, Map<String, Set<Object>> values) {
    values.computeIfAbsent(path, missing -> new LinkedHashSet<>()).add(value);
  }
}
