package org.dpo4j.model.lora;

import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.dpo4j.data.ShortList;
import org.dpo4j.model.AdapterSlot;
import org.dpo4j.model.CausalLm;
import org.dpo4j.model.ParameterSource;
import org.dpo4j.model.Parameters;
import org.jspecify.annotations.Nullable;

/**
 * The layers and weights that a configuration selects in one model.
 *
 * @param layers linear layers that get an adapter, at least one
 * @param saved weights of the base that are trained in full, biases among them
 */
public record LoraPlan(List<AdapterSlot> layers, List<Parameters.Parameter> saved) {

  private static final int LISTED = 5;

  /**
   * Selects the layers and weights.
   *
   * @throws LoraSettingException if a name or pattern matches nothing, or something that cannot
   *     have an adapter
   */
  public static LoraPlan of(LoraConfig config, CausalLm model) {
    Set<String> modules = modules(model.parameters());
    List<AdapterSlot> layers = layers(config, model.parameters(), modules);
    Set<Parameters.Parameter> saved = saved(config, model, modules);
    requireApart(layers, saved);
    if (config.dora() && layers.contains(model.head().slot())) {
      throw new LoraSettingException(
          "use_dora",
          "works with layers of blocks but target_modules names the head; leave one of them out");
    }
    saved.addAll(biases(config.bias(), layers, model.parameters()));
    return new LoraPlan(layers, List.copyOf(saved));
  }

  /** The paths of all modules that contain weights, directly or in submodules. */
  private static Set<String> modules(Parameters parameters) {
    Set<String> modules = new LinkedHashSet<>();
    for (Parameters.Parameter parameter : parameters.all()) {
      String path = parameter.name();
      for (int dot = path.lastIndexOf('.'); dot > 0; dot = path.lastIndexOf('.')) {
        path = path.substring(0, dot);
        modules.add(path);
      }
    }
    return modules;
  }

  private static List<AdapterSlot> layers(
      LoraConfig config, Parameters parameters, Set<String> modules) {
    TargetModules targets = config.layers().targets();
    List<AdapterSlot> layers =
        parameters.slots().stream().filter(slot -> config.adapts(slot.path())).toList();
    if (!(targets instanceof TargetModules.AllLinear)) {
      Set<String> linear =
          parameters.slots().stream().map(AdapterSlot::path).collect(Collectors.toSet());
      modules.stream()
          .filter(path -> config.adapts(path) && !linear.contains(path))
          .findFirst()
          .ifPresent(
              path -> {
                throw new LoraSettingException(
                    "target_modules",
                    "must name linear layers but %s finds %s, which is none; the"
                            .formatted(words(targets), path)
                        + " model has "
                        + lastParts(parameters));
              });
    }
    if (layers.isEmpty()) {
      requireLeft(config.layers(), parameters);
      throw new LoraSettingException(
          "target_modules",
          "must name linear layers of the model but %s finds none; it has %s"
              .formatted(words(targets), lastParts(parameters)));
    }
    return layers;
  }

  /** Rejects settings that leave out every layer which the targets select. */
  private static void requireLeft(LayerChoice choice, Parameters parameters) {
    List<String> targeted =
        parameters.slots().stream()
            .map(AdapterSlot::path)
            .filter(choice.targets()::matches)
            .toList();
    if (targeted.isEmpty()) {
      return;
    }
    boolean excluded = targeted.stream().allMatch(choice.excluded()::matches);
    if (excluded || targeted.stream().noneMatch(choice::selects)) {
      throw new LoraSettingException(
          excluded ? "exclude_modules" : "layers_to_transform",
          "must leave some of the layers that target_modules names but %s leaves none"
              .formatted(excluded ? words(choice.excluded()) : choice.blocks()));
    }
  }

  private static final String BIAS = ".bias";

  private static List<Parameters.Parameter> biases(
      LoraConfig.Bias choice, List<AdapterSlot> layers, Parameters parameters) {
    Set<String> adapted =
        layers.stream().map(layer -> layer.path() + BIAS).collect(Collectors.toSet());
    return parameters.all().stream()
        .filter(
            parameter ->
                switch (choice) {
                  case NONE -> false;
                  case ALL -> parameter.name().endsWith(BIAS);
                  case LORA_ONLY -> adapted.contains(parameter.name());
                })
        .toList();
  }

  private static Set<Parameters.Parameter> saved(
      LoraConfig config, CausalLm model, Set<String> modules) {
    Set<Parameters.Parameter> saved = new LinkedHashSet<>();
    List<Parameters.Parameter> all = model.parameters().all();
    boolean tied = model.head().slot() == null;
    for (String end : config.modulesToSave()) {
      List<String> found = modules.stream().filter(path -> path.endsWith(end)).toList();
      if (found.isEmpty()) {
        throw new LoraSettingException(
            "modules_to_save",
            "must name modules of the model but %s finds none%s"
                .formatted(
                    end,
                    tied && LoraConfig.HEAD.endsWith(end)
                        ? ": the head is the embedding table (tie_word_embeddings)"
                        : ""));
      }
      all.stream()
          .filter(p -> found.stream().anyMatch(path -> p.name().startsWith(path + ".")))
          .forEach(saved::add);
    }
    for (Parameters.Parameter parameter : saved) {
      boolean table =
          parameter.kind() == ParameterSource.Kind.EMBEDDING
              && parameter.tensor().size(0) == model.vocabSize();
      if (tied && table) {
        throw new LoraSettingException(
            "modules_to_save",
            "must not name "
                + parameter.name()
                + ", which is the head as well (tie_word_embeddings): PEFT would train a copy for"
                + " the one use and not for the other; leave it out");
      }
    }
    return saved;
  }

  private static void requireApart(List<AdapterSlot> layers, Set<Parameters.Parameter> saved) {
    for (AdapterSlot layer : layers) {
      if (saved.stream().anyMatch(p -> p.name().startsWith(layer.path() + "."))) {
        throw new LoraSettingException(
            "modules_to_save",
            "must not name what target_modules names but both name "
                + layer.path()
                + "; keep it in one of them");
      }
    }
  }

  /**
   * Rejects patterns and numbers of blocks that match none of the layers, and biases where there
   * are none. PEFT ignores them, so adapters that are read may have them; in a new configuration
   * they are mistakes.
   *
   * @throws LoraSettingException if one matches nothing
   */
  public void requireAllUsed(LoraConfig config) {
    if (config.bias() != LoraConfig.Bias.NONE
        && saved.stream().noneMatch(parameter -> parameter.name().endsWith(BIAS))) {
      throw new LoraSettingException(
          "bias",
          "must train biases but %s; leave it out"
              .formatted(
                  config.bias() == LoraConfig.Bias.ALL
                      ? "the model has none"
                      : "no layer that target_modules names has one"));
    }
    for (int block : config.layers().blocks()) {
      if (layers.stream()
          .map(layer -> config.layers().block(layer.path()))
          .noneMatch(number -> number.equals(OptionalInt.of(block)))) {
        throw new LoraSettingException(
            "layers_to_transform",
            "must be numbers of blocks with layers that target_modules names, from 0, but block %d has none"
                .formatted(block));
      }
    }
    requireUsed("rank_pattern", config.rankPattern());
    requireUsed("alpha_pattern", config.alphaPattern());
  }

  private void requireUsed(String name, Map<String, ?> pattern) {
    for (String key : pattern.keySet()) {
      if (layers.stream().noneMatch(layer -> LoraConfig.fits(name, key, layer.path()))) {
        throw new LoraSettingException(
            name,
            "must name layers that target_modules names but %s finds none of them".formatted(key));
      }
    }
  }

  private static String words(TargetModules targets) {
    return ShortList.of(targets.words(), LISTED);
  }

  private static String lastParts(Parameters parameters) {
    return String.join(", ", lastParts(parameters.slots()));
  }

  /** The distinct last components of the layers' paths, sorted. */
  public static Set<String> lastParts(List<AdapterSlot> layers) {
    Stream<String> paths = layers.stream().map(AdapterSlot::path);
    return paths
        .map(path -> path.substring(path.lastIndexOf('.') + 1))
        .collect(Collectors.toCollection(TreeSet::new));
  }

  /** The path of the layer of an adapter whose bias a weight is; null for another weight. */
  public @Nullable String layerOfBias(String name) {
    return layers.stream()
        .map(AdapterSlot::path)
        .filter(path -> name.equals(path + BIAS))
        .findFirst()
        .orElse(null);
  }

  /** Number of biases (elements) that are trained. */
  public long biasCount() {
    return saved.stream()
        .filter(parameter -> parameter.name().endsWith(BIAS))
        .mapToLong(parameter -> parameter.tensor().numel())
        .sum();
  }

  /** Number of base weights (elements) that are trained in full. */
  public long savedCount() {
    return saved.stream().mapToLong(p -> p.tensor().numel()).sum();
  }

  /**
   * Names or expressions of the exclusion that leave out nothing which the targets select. PEFT
   * takes them.
   */
  public static List<String> excludingNothing(LayerChoice choice, List<AdapterSlot> slots) {
    List<String> targeted =
        slots.stream().map(AdapterSlot::path).filter(choice.targets()::matches).toList();
    if (choice.excluded() instanceof TargetModules.Named named) {
      return named.names().stream()
          .filter(
              name -> targeted.stream().noneMatch(path -> TargetModules.Named.named(name, path)))
          .toList();
    }
    return targeted.stream().anyMatch(choice.excluded()::matches)
        ? List.of()
        : choice.excluded().words();
  }

  /**
   * The setting that takes out all layers of a target; empty if the target names none.
   *
   * @param name of the target list
   * @return {@code exclude_modules} or {@code layers_to_transform}
   */
  public static Optional<String> removing(
      LayerChoice choice, String name, List<AdapterSlot> slots) {
    List<String> targeted =
        slots.stream()
            .map(AdapterSlot::path)
            .filter(path -> TargetModules.Named.named(name, path) && choice.targets().matches(path))
            .toList();
    return targeted.isEmpty() || targeted.stream().anyMatch(choice::selects)
        ? Optional.empty()
        : Optional.of(
            targeted.stream().anyMatch(choice.excluded()::matches)
                ? "exclude_modules"
                : "layers_to_transform");
  }

  /** Names in the target list that match no layer of the adapter. */
  public List<String> unmatched(TargetModules targets) {
    List<String> unmatched = new ArrayList<>();
    if (targets instanceof TargetModules.Named named) {
      for (String name : named.names()) {
        if (layers.stream().noneMatch(layer -> TargetModules.Named.named(name, layer.path()))) {
          unmatched.add(name);
        }
      }
    }
    return unmatched;
  }
}
