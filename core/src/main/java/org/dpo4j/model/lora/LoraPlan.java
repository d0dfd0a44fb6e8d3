package org.dpo4j.model.lora;

import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.bytedeco.pytorch.Tensor;
import org.dpo4j.data.ShortList;
import org.dpo4j.model.AdapterSlot;
import org.dpo4j.model.CausalLm;
import org.dpo4j.model.ExpertSlot;
import org.dpo4j.model.Parameters;
import org.jspecify.annotations.Nullable;

/**
 * The layers and weights that a configuration selects in one model.
 *
 * @param layers linear layers that get an adapter, then embedding tables
 * @param routers routers of experts that get an adapter
 * @param experts matrices of experts that get an adapter; with layers and routers at least one
 * @param tiedHead the head that uses the adapter of its table; null for none
 * @param saved weights of the base that are trained in full, biases among them
 */
public record LoraPlan(
    List<AdapterSlot> layers,
    List<AdapterSlot> routers,
    List<OnExperts> experts,
    @Nullable AdapterSlot tiedHead,
    List<Parameters.Parameter> saved) {

  /**
   * An adapter on matrices of experts.
   *
   * @param name where PEFT keeps the factors: each of several adapters on one module has those
   *     before it under {@code base_layer}
   */
  public record OnExperts(ExpertSlot slot, String name) {}

  private static final String PARAMETERS = "target_parameters";
  private static final String WEIGHT = ".weight";

  private static final int LISTED = 5;

  /**
   * Selects the layers and weights.
   *
   * @throws LoraSettingException if a name or pattern matches nothing, or something that cannot
   *     have an adapter
   */
  public static LoraPlan of(LoraConfig config, CausalLm model) {
    Set<String> modules = modules(model.parameters());
    boolean tied = tiedTable(model) != null;
    AdapterSlot tiedHead = tied && config.adaptsTied() ? model.head().slot() : null;
    List<AdapterSlot> routers = routers(config.layers(), model.parameters());
    List<OnExperts> experts = experts(config.layers(), model.parameters());
    requireParameters(config, model.parameters(), routers.isEmpty() && experts.isEmpty());
    requireNoBias(config, routers, model.parameters());
    List<AdapterSlot> layers = layers(config, model, modules, tiedHead);
    Set<Parameters.Parameter> saved = saved(config, model, modules);
    requireApart(layers, saved);
    requireApart(routers, saved);
    requireExpertsApart(experts, saved);
    if (config.dora()) {
      layers.stream()
          .filter(layer -> layer.isTable() || layer == model.head().slot())
          .findFirst()
          .ifPresent(
              layer -> {
                throw new LoraSettingException(
                    "use_dora",
                    "works with layers of blocks but target_modules names %s; leave one of them out"
                        .formatted(layer.isTable() ? layer.path() : "the head"));
              });
    }
    saved.addAll(biases(config.bias(), adapted(layers, tiedHead).toList(), model.parameters()));
    return new LoraPlan(layers, routers, experts, tiedHead, List.copyOf(saved));
  }

  /** PEFT stores the bias of an adapted router under another name. */
  private static void requireNoBias(
      LoraConfig config, List<AdapterSlot> routers, Parameters parameters) {
    if (config.bias() == LoraConfig.Bias.NONE) {
      return;
    }
    for (AdapterSlot router : routers) {
      String bias = router.path() + BIAS;
      if (parameters.all().stream().anyMatch(parameter -> parameter.name().equals(bias))) {
        throw new LoraSettingException(
            "bias",
            "must be none where target_parameters names a router with a bias, as %s; leave one of"
                    .formatted(router.path() + WEIGHT)
                + " them out");
      }
    }
  }

  private static List<AdapterSlot> routers(LayerChoice choice, Parameters parameters) {
    return parameters.routerSlots().stream()
        .filter(router -> choice.selectsParameter(router.path() + WEIGHT))
        .toList();
  }

  private static List<OnExperts> experts(LayerChoice choice, Parameters parameters) {
    List<ExpertSlot> chosen =
        parameters.expertSlots().stream()
            .filter(slot -> choice.selectsParameter(slot.path()))
            .toList();
    List<OnExperts> experts = new ArrayList<>();
    for (int i = 0; i < chosen.size(); i++) {
      String module = chosen.get(i).module();
      long after =
          chosen.subList(i + 1, chosen.size()).stream()
              .filter(slot -> slot.module().equals(module))
              .count();
      experts.add(new OnExperts(chosen.get(i), module + ".base_layer".repeat((int) after)));
    }
    return List.copyOf(experts);
  }

  /**
   * Checks the settings of adapters on parameters.
   *
   * @param none whether no parameter is selected; PEFT goes on with other layers
   */
  private static void requireParameters(LoraConfig config, Parameters parameters, boolean none) {
    LayerChoice choice = config.layers();
    if (!none && config.dropout() != 0) {
      throw new LoraSettingException(
          PARAMETERS,
          "needs an adapter without dropout, as in PEFT, but lora_dropout is %s; set it to 0"
              .formatted(config.dropout()));
    }
    if (!none && config.dora()) {
      throw new LoraSettingException(
          PARAMETERS, "works, as in PEFT, without use_dora; leave one of them out");
    }
    parameters.all().stream()
        .filter(parameter -> choice.selectsParameter(parameter.name()))
        .filter(parameter -> !ofExperts(parameter, parameters))
        .map(Parameters.Parameter::name)
        .findFirst()
        .ifPresent(
            name -> {
              throw new LoraSettingException(
                  PARAMETERS,
                  "must name matrices of experts or routers but %s finds %s; %s"
                      .formatted(
                          ShortList.of(choice.parameters(), LISTED), name, those(parameters)));
            });
    if (none && !choice.parameters().isEmpty() && choice.targets().equals(LayerChoice.NONE)) {
      throw new LoraSettingException(
          PARAMETERS,
          "must name matrices of experts or routers but %s finds none; %s"
              .formatted(ShortList.of(choice.parameters(), LISTED), those(parameters)));
    }
  }

  /** Whether a weight has the matrix of a router or matrices of experts. */
  private static boolean ofExperts(Parameters.Parameter weight, Parameters parameters) {
    return parameters.routerSlots().stream().anyMatch(r -> r.weight().is_same(weight.tensor()))
        || parameters.expertSlots().stream().anyMatch(slot -> slot.holds(weight.name()));
  }

  /** The names of what the setting can name. */
  private static String those(Parameters parameters) {
    if (parameters.expertSlots().isEmpty()) {
      return "the model has no experts";
    }
    String experts = parameters.expertSlots().get(0).module();
    String router = parameters.routerSlots().get(0).path();
    return "the model has %s.gate_up_proj, %s.down_proj and %s.weight"
        .formatted(inBlock(experts), inBlock(experts), inBlock(router));
  }

  /** The last two components of a path. */
  private static String inBlock(String path) {
    return path.substring(path.lastIndexOf('.', path.lastIndexOf('.') - 1) + 1);
  }

  private static void requireExpertsApart(
      List<OnExperts> experts, Set<Parameters.Parameter> saved) {
    for (OnExperts on : experts) {
      if (saved.stream().anyMatch(parameter -> on.slot().holds(parameter.name()))) {
        throw new LoraSettingException(
            "modules_to_save",
            "must not name what target_parameters names but both name "
                + on.slot().path()
                + "; keep it in one of them");
      }
    }
  }

  /** The layers with an adapter of their own, and the head that uses that of its table. */
  private static Stream<AdapterSlot> adapted(
      List<AdapterSlot> layers, @Nullable AdapterSlot tiedHead) {
    return Stream.concat(layers.stream(), Stream.ofNullable(tiedHead));
  }

  /** The embedding table that is the head as well; null if the head has its own matrix. */
  public static @Nullable AdapterSlot tiedTable(CausalLm model) {
    return model.parameters().tableSlots().stream()
        .filter(table -> table.weight().is_same(model.head().weight().values()))
        .findFirst()
        .orElse(null);
  }

  /** What the targets may select: the linear layers, and unless they are all-linear the tables. */
  private static List<AdapterSlot> selectable(LayerChoice choice, Parameters parameters) {
    List<AdapterSlot> slots = new ArrayList<>(parameters.slots());
    if (!(choice.targets() instanceof TargetModules.AllLinear)) {
      slots.addAll(parameters.tableSlots());
    }
    return slots;
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

  /**
   * Whether the last components of the layers' paths are also those of modules that no adapter can
   * be on, as {@code gate_proj} of an MLP and of the experts in other blocks.
   */
  public boolean sharesNames(Parameters parameters) {
    Set<String> names = lastParts(layers);
    Set<String> slots =
        parameters.slots().stream().map(AdapterSlot::path).collect(Collectors.toSet());
    return modules(parameters).stream()
        .anyMatch(path -> names.contains(lastPart(path)) && !slots.contains(path));
  }

  private static List<AdapterSlot> layers(
      LoraConfig config, CausalLm model, Set<String> modules, @Nullable AdapterSlot tiedHead) {
    Parameters parameters = model.parameters();
    TargetModules targets = config.layers().targets();
    List<AdapterSlot> selectable = selectable(config.layers(), parameters);
    List<AdapterSlot> layers = new ArrayList<>(selectable);
    layers.removeIf(slot -> !config.adapts(slot.path()) || slot == tiedHead);
    if (tiedHead != null) {
      addTable(config, Objects.requireNonNull(tiedTable(model)), layers);
    }
    if (!(targets instanceof TargetModules.AllLinear)) {
      Set<String> known = selectable.stream().map(AdapterSlot::path).collect(Collectors.toSet());
      modules.stream()
          .filter(path -> config.adapts(path) && !known.contains(path))
          .findFirst()
          .ifPresent(
              path -> {
                throw new LoraSettingException(
                    "target_modules",
                    "must name linear layers or the embedding table but %s finds %s, which is neither;"
                            .formatted(words(targets), path)
                        + " the model has "
                        + lastParts(parameters));
              });
    }
    boolean onlyParameters =
        targets.equals(LayerChoice.NONE) && !config.layers().parameters().isEmpty();
    if (layers.isEmpty() && !onlyParameters) {
      requireLeft(config.layers(), parameters);
      throw new LoraSettingException(
          "target_modules",
          "must name linear layers of the model but %s finds none; it has %s"
              .formatted(words(targets), lastParts(parameters)));
    }
    return List.copyOf(layers);
  }

  /** The table gets the adapter of both uses even if the targets name the head alone. */
  private static void addTable(LoraConfig config, AdapterSlot table, List<AdapterSlot> layers) {
    if (config.layers().excluded().matches(table.path())) {
      throw new LoraSettingException(
          "exclude_modules",
          "must not name %s where ensure_weight_tying keeps its adapter and the head's the same"
              .formatted(table.path()));
    }
    if (!layers.contains(table)) {
      layers.add(table);
    }
  }

  /** Rejects settings that leave out every layer which the targets select. */
  private static void requireLeft(LayerChoice choice, Parameters parameters) {
    List<String> targeted =
        selectable(choice, parameters).stream()
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
    AdapterSlot table = tiedTable(model);
    boolean both = table != null && config.savesTied();
    if (table != null && both) {
      requirePlainHead(model);
      Tensor weight = table.weight();
      all.stream().filter(p -> p.tensor().is_same(weight)).forEach(saved::add);
    }
    for (String end : config.modulesToSave()) {
      if (both && LoraConfig.namesTied(end)) {
        continue;
      }
      List<String> found = modules.stream().filter(path -> path.endsWith(end)).toList();
      if (found.isEmpty()) {
        throw new LoraSettingException(
            "modules_to_save",
            "must name modules of the model but %s finds none%s"
                .formatted(
                    end,
                    table != null && LoraConfig.HEAD.endsWith(end)
                        ? ": the head is the embedding table (tie_word_embeddings);"
                            + " ensure_weight_tying trains it for both uses"
                        : ""));
      }
      all.stream()
          .filter(p -> found.stream().anyMatch(path -> p.name().startsWith(path + ".")))
          .forEach(saved::add);
    }
    for (Parameters.Parameter parameter : saved) {
      if (table != null && !both && parameter.tensor().is_same(table.weight())) {
        throw new LoraSettingException(
            "modules_to_save",
            "must not name "
                + parameter.name()
                + ", which is the head as well (tie_word_embeddings): PEFT would train a copy for"
                + " the one use and not for the other; leave it out, or set ensure_weight_tying to"
                + " true, with embed_tokens or lm_head here, to train it for both");
      }
    }
    return saved;
  }

  private static void requirePlainHead(CausalLm model) {
    if (model.head().bias() != null) {
      throw new LoraSettingException(
          "ensure_weight_tying",
          "must be false where modules_to_save names a tied head with a bias, which PEFT would"
              + " leave out");
    }
  }

  private static void requireApart(List<AdapterSlot> layers, Set<Parameters.Parameter> saved) {
    for (AdapterSlot layer : layers) {
      if (saved.stream()
          .anyMatch(
              p -> p.name().startsWith(layer.path() + ".") || p.tensor().is_same(layer.weight()))) {
        throw new LoraSettingException(
            "modules_to_save",
            "must not name what target_modules names but both name "
                + layer.path()
                + "; keep it in one of them");
      }
    }
  }

  /**
   * Rejects patterns and numbers of blocks that match none of the layers, biases where there are
   * none, and tying where nothing is tied. PEFT ignores them, so adapters that are read may have
   * them; in a new configuration they are mistakes.
   *
   * @throws LoraSettingException if one matches nothing
   */
  public void requireAllUsed(LoraConfig config, CausalLm model) {
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
    boolean tied = tiedTable(model) != null;
    if (config.ensureWeightTying() && !(tied && (tiedHead != null || config.savesTied()))) {
      throw new LoraSettingException(
          "ensure_weight_tying",
          (tied
                  ? "needs embed_tokens or lm_head in target_modules or modules_to_save"
                  : "needs a model whose head is the embedding table (tie_word_embeddings)")
              + "; leave it out");
    }
    for (String name : config.layers().parameters()) {
      if (parameterPaths().noneMatch(path -> TargetModules.Named.named(name, path))) {
        throw new LoraSettingException(
            PARAMETERS,
            "must name matrices of experts or routers but %s finds none; %s"
                .formatted(name, those(model.parameters())));
      }
    }
    requireUsed("rank_pattern", config.rankPattern());
    requireUsed("alpha_pattern", config.alphaPattern());
  }

  /** The paths of the matrices of experts and routers. */
  private Stream<String> parameterPaths() {
    return Stream.concat(
        routers.stream().map(router -> router.path() + WEIGHT),
        experts.stream().map(on -> on.slot().path()));
  }

  private void requireUsed(String name, Map<String, ?> pattern) {
    for (String key : pattern.keySet()) {
      if (Stream.concat(adapted(layers, tiedHead).map(AdapterSlot::path), parameterPaths())
          .noneMatch(path -> LoraConfig.fits(name, key, path))) {
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
    return paths.map(LoraPlan::lastPart).collect(Collectors.toCollection(TreeSet::new));
  }

  private static String lastPart(String path) {
    return path.substring(path.lastIndexOf('.') + 1);
  }

  /** The ends of the paths of the experts' and routers' matrices, sorted. */
  public Set<String> lastPartsOfParameters() {
    return parameterPaths().map(LoraPlan::inBlock).collect(Collectors.toCollection(TreeSet::new));
  }

  /** The path of the layer of an adapter whose bias a weight is; null for another weight. */
  public @Nullable String layerOfBias(String name) {
    return adapted(layers, tiedHead)
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
  public static List<String> excludingNothing(LayerChoice choice, Parameters parameters) {
    List<String> targeted =
        selectable(choice, parameters).stream()
            .map(AdapterSlot::path)
            .filter(choice.targets()::matches)
            .toList();
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
  public static Optional<String> removing(LayerChoice choice, String name, Parameters parameters) {
    List<String> targeted =
        selectable(choice, parameters).stream()
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
        if (adapted(layers, tiedHead)
            .noneMatch(layer -> TargetModules.Named.named(name, layer.path()))) {
          unmatched.add(name);
        }
      }
    }
    return unmatched;
  }
}
