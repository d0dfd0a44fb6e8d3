package org.dpo4j.run;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.function.Function;
import java.util.regex.Pattern;
import java.util.regex.PatternSyntaxException;
import org.dpo4j.OptionText;
import org.dpo4j.UsageException;
import org.dpo4j.config.TrainingConfig;
import org.dpo4j.model.AdapterSlot;
import org.dpo4j.model.CausalLm;
import org.dpo4j.model.ParameterSource;
import org.dpo4j.model.lora.LayerChoice;
import org.dpo4j.model.lora.LoraConfig;
import org.dpo4j.model.lora.LoraPlan;
import org.dpo4j.model.lora.LoraSettingException;
import org.dpo4j.model.lora.TargetModules;
import org.dpo4j.options.OptionType;
import org.dpo4j.report.RunOutput;
import org.dpo4j.torch.RandomNumbers;
import org.dpo4j.weights.HuggingFaceConfig;
import org.dpo4j.weights.LoadedModel;
import org.dpo4j.weights.ModelBlueprint;
import org.dpo4j.weights.PeftAdapter;

/** The adapter that a run trains: a new one as the options describe it, or one of a folder. */
final class TrainedAdapter {

  private static final Pattern PLAIN_NAME = Pattern.compile("[\\w.-]+");

  /** Keys of configs for the dropout of the models themselves. */
  private static final List<String> DROPOUT =
      List.of(
          "activation_dropout",
          "attention_dropout",
          "attention_probs_dropout_prob",
          "attn_pdrop",
          "dropout",
          "embd_pdrop",
          "embed_dropout",
          "embedding_dropout",
          "hidden_dropout",
          "hidden_dropout_prob",
          "layerdrop",
          "resid_dropout",
          "resid_pdrop",
          "residual_dropout");

  /** Of those the keys that are 0.1 where a config of the model type has none. */
  private static final Map<String, List<String>> USUAL_DROPOUT =
      Map.of(
          "biogpt", List.of("attention_probs_dropout_prob", "hidden_dropout_prob"),
          "gpt2", List.of("attn_pdrop", "embd_pdrop", "resid_pdrop"),
          "gpt_bigcode", List.of("attn_pdrop", "embd_pdrop", "resid_pdrop"),
          "opt", List.of("dropout"),
          "seed_oss", List.of("attention_dropout", "residual_dropout"));

  private final TrainingConfig.Lora options;

  private TrainedAdapter(TrainingConfig.Lora options) {
    this.options = options;
  }

  /**
   * Puts the run's adapter on its model; empty if the model's own weights are trained. Initial
   * values and dropout depend on the run's seed.
   *
   * @param output receives warnings about the adapter of {@code --adapter}
   * @throws UsageException if options do not fit the model or contradict the adapter of {@code
   *     --adapter}
   */
  static Optional<PeftAdapter> of(TrainingConfig config, LoadedModel base, RunOutput output) {
    if (!config.trainsAdapter()) {
      return Optional.empty();
    }
    if (!config.lora().disableDropout()) {
      requireNoModelDropout(base.config().text());
    }
    RandomNumbers random = new RandomNumbers(config.engine().seed());
    TrainedAdapter wanted = new TrainedAdapter(config.lora());
    PeftAdapter adapter =
        config.model().adapter().isPresent()
            ? PeftAdapter.open("adapter", config.model().adapter().get(), base)
            : wanted.create(base, random);
    try {
      if (config.model().adapter().isEmpty()) {
        wanted.noteExclusions(adapter.model().config().layers(), base.model(), output);
        warnOfMisreading(base.config().modelType(), adapter.model().plan(), output);
      }
      wanted.requireTargets(
          adapter.model().plan(), adapter.model().config().layers(), base.model());
      wanted.requireAgreement(adapter.model().config());
      config.model().adapter().ifPresent(folder -> AdapterCheck.run(folder, adapter, base, output));
    } catch (RuntimeException e) {
      adapter.close();
      throw e;
    }
    if (!config.lora().disableDropout()) {
      adapter.model().enableDropout();
    }
    return Optional.of(adapter);
  }

  /** TRL would also turn on the model's own dropout, which dpo4j does not support. */
  private static void requireNoModelDropout(HuggingFaceConfig model) {
    List<String> usual = USUAL_DROPOUT.getOrDefault(model.text("model_type", ""), List.of());
    for (String key : DROPOUT) {
      double probability = model.number(key, usual.contains(key) ? 0.1 : 0);
      if (probability != 0) {
        throw new UsageException(
            "disable_dropout",
            "false needs a model without dropout of its own, since only an adapter's is supported,",
            "%s of %s is %s".formatted(key, model.file(), OptionType.shortest(probability)),
            "set it to 0 there, or leave the option out");
      }
    }
  }

  /**
   * The settings of the run's adapter, before the model is loaded; empty if the model's own weights
   * are trained.
   */
  static Optional<LoraConfig> config(TrainingConfig config, ModelBlueprint base) {
    String modelType = base.config().modelType();
    Set<String> linears = base.shape().linearLayers();
    if (config.model().adapter().isPresent()) {
      return config
          .model()
          .adapter()
          .map(folder -> PeftAdapter.config("adapter", folder, modelType, linears));
    }
    if (!config.trainsAdapter()) {
      return Optional.empty();
    }
    return Optional.of(
        new TrainedAdapter(config.lora()).checked(wanted -> wanted.config(modelType, linears)));
  }

  /**
   * Checks the settings of a new adapter against the layers of a model whose weights are not read,
   * as {@link #of} does.
   *
   * @param output receives notes about settings without effect
   * @return number of biases (elements) that are trained
   * @throws UsageException if they do not fit
   */
  static long check(TrainingConfig config, LoraConfig lora, ModelBlueprint base, RunOutput output) {
    TrainedAdapter wanted = new TrainedAdapter(config.lora());
    try (CausalLm model = base.build(ParameterSource.placeholders())) {
      if (config.model().adapter().isPresent()) {
        return LoraPlan.of(lora, model).biasCount();
      }
      LoraPlan plan =
          wanted.checked(
              w -> {
                LoraPlan made = LoraPlan.of(lora, model);
                made.requireAllUsed(lora, model);
                return made;
              });
      wanted.noteExclusions(lora.layers(), model, output);
      warnOfMisreading(base.config().modelType(), plan, output);
      wanted.requireTargets(plan, lora.layers(), model);
      return plan.biasCount();
    }
  }

  private LoraConfig config(String modelType, Set<String> linears) {
    return new LoraConfig(
        options.rank(),
        options.alpha(),
        options.dropout(),
        options.useRslora(),
        options.useDora(),
        new LayerChoice(
            targets().orElseGet(() -> PeftAdapter.defaultTargets(modelType, linears, parameters())),
            excluded().orElse(LayerChoice.NONE),
            options.loraLayersToTransform().orElse(List.of()),
            List.of(),
            parameters()),
        options.loraBias().orElse(LoraConfig.Bias.NONE),
        options.loraModulesToSave().orElse(List.of()),
        ranks(),
        alphas(),
        options.loraEnsureWeightTying());
  }

  private PeftAdapter create(LoadedModel base, RandomNumbers random) {
    return checked(
        wanted ->
            PeftAdapter.create(
                wanted.config(base.config().modelType(), base.linearLayers()), base, random));
  }

  /** Uses the options; turns errors in them into messages for users. */
  private <R> R checked(Function<TrainedAdapter, R> work) {
    try {
      return work.apply(this);
    } catch (PatternSyntaxException e) {
      throw new UsageException(
          e.getPattern().equals(options.loraExcludeModules().map(names -> names.get(0)).orElse(""))
              ? "lora_exclude_modules"
              : "lora_target_modules",
          "and the patterns must be regular expressions",
          "%s is none: %s".formatted(e.getPattern(), e.getDescription()),
          "",
          e);
    } catch (LoraSettingException e) {
      String option = e.setting().equals("use_dora") ? e.setting() : "lora_" + e.setting();
      throw new UsageException(option, e.problem(), "", "", e);
    }
  }

  /** Names with commas, or one word that PEFT reads as a pattern unless it is a mere name. */
  private Optional<TargetModules> targets() {
    return options.loraTargetModules().map(names -> choice(names, PeftAdapter::targets));
  }

  private List<String> parameters() {
    return options.loraTargetParameters().orElse(List.of());
  }

  private Optional<TargetModules> excluded() {
    return options.loraExcludeModules().map(names -> choice(names, PeftAdapter::excluded));
  }

  private static TargetModules choice(List<String> names, Function<String, TargetModules> ofText) {
    TargetModules one = ofText.apply(names.get(0));
    boolean pattern =
        one instanceof TargetModules.AllLinear || !PLAIN_NAME.matcher(names.get(0)).matches();
    return names.size() == 1 && pattern ? one : new TargetModules.Named(names);
  }

  private Map<String, Integer> ranks() {
    return pattern("lora_rank_pattern", options.loraRankPattern(), Integer::valueOf);
  }

  private Map<String, Double> alphas() {
    return pattern("lora_alpha_pattern", options.loraAlphaPattern(), Double::valueOf);
  }

  private static <N extends Number> Map<String, N> pattern(
      String option, Optional<List<String>> items, Function<String, N> reader) {
    Map<String, N> pattern = new LinkedHashMap<>();
    for (String item : items.orElse(List.of())) {
      int equals = item.lastIndexOf('=');
      try {
        N value = reader.apply(item.substring(equals + 1).strip());
        if (equals < 1 || !(value.doubleValue() > 0)) {
          throw new NumberFormatException();
        }
        Pattern.compile(item.substring(0, equals));
        pattern.put(item.substring(0, equals), value);
      } catch (NumberFormatException e) {
        throw new UsageException(
            option,
            "must be layers and numbers above 0, as q_proj=8,v_proj=4,",
            "has %s".formatted(item),
            "",
            e);
      }
    }
    return pattern;
  }

  /** PEFT is silent where some module has the name, be it one that no adapter is on anyway. */
  private void noteExclusions(LayerChoice layers, CausalLm model, RunOutput output) {
    LoraPlan.excludingNothing(layers, model.parameters())
        .forEach(
            name ->
                output.note(
                    OptionText.of(
                        "{lora_exclude_modules} %s leaves out none of the layers of"
                            + " {lora_target_modules}",
                        name)));
  }

  /** PEFT takes the names of MLPs for those of experts, as transformers 4 had them. */
  private static void warnOfMisreading(String modelType, LoraPlan plan, RunOutput output) {
    if (modelType.equals("qwen3_moe")
        && plan.layers().stream().anyMatch(layer -> layer.path().contains(".mlp."))) {
      output.warn(
          OptionText.of(
              "PEFT will misread this adapter: for the model type qwen3_moe it takes an adapter on"
                  + " MLPs for one on experts. dpo4j reads it; for other tools merge it, or leave"
                  + " gate_proj, up_proj and down_proj out of {lora_target_modules}"));
    }
  }

  /** Every given target must be a layer of the adapter, and vice versa. */
  private void requireTargets(LoraPlan plan, LayerChoice choice, CausalLm model) {
    Optional<TargetModules> given = targets();
    if (given.isEmpty()) {
      return;
    }
    List<String> unmatched = plan.unmatched(given.get());
    for (String name : unmatched) {
      LoraPlan.removing(choice, name, model.parameters())
          .ifPresent(
              setting -> {
                throw new UsageException(
                    "lora_target_modules",
                    "must name linear layers that the adapter is on",
                    OptionText.of("{%s} takes out all that %s names", "lora_" + setting, name),
                    OptionText.of("leave %s out of {lora_target_modules}", name));
              });
    }
    if (!unmatched.isEmpty()) {
      throw new UsageException(
          "lora_target_modules",
          "must name linear layers that the adapter is on",
          "%s names none".formatted(String.join(", ", unmatched)),
          "");
    }
    plan.layers().stream()
        .filter(layer -> !layer.isTable() || plan.tiedHead() == null) // the head brings it along
        .map(AdapterSlot::path)
        .filter(path -> !given.get().matches(path))
        .findFirst()
        .ifPresent(
            path -> {
              throw new UsageException(
                  "lora_target_modules",
                  OptionText.of("does not name %s, which the adapter of {adapter} is on", path),
                  "",
                  "leave it out");
            });
  }

  /** Options that are given must match the settings of the adapter. */
  private void requireAgreement(LoraConfig has) {
    require("lora_r", options.loraR(), has.rank());
    require("lora_alpha", options.loraAlpha(), has.alpha());
    require("lora_dropout", options.loraDropout(), has.dropout());
    require(
        "lora_target_parameters",
        options.loraTargetParameters().map(TrainedAdapter::sorted),
        sorted(has.layers().parameters()));
    require(
        "lora_exclude_modules",
        options.loraExcludeModules().map(names -> choice(names, PeftAdapter::excluded).words()),
        has.layers().excluded().words());
    require("lora_layers_to_transform", options.loraLayersToTransform(), has.layers().blocks());
    require("lora_bias", options.loraBias(), has.bias());
    require("lora_modules_to_save", options.loraModulesToSave(), has.modulesToSave());
    require("lora_rank_pattern", options.loraRankPattern().map(p -> ranks()), has.rankPattern());
    require(
        "lora_alpha_pattern", options.loraAlphaPattern().map(p -> alphas()), has.alphaPattern());
    if (options.loraEnsureWeightTying()) {
      require("lora_ensure_weight_tying", Optional.of(true), has.ensureWeightTying());
    }
    if (options.useRslora()) {
      require("use_rslora", Optional.of(true), has.rsLora());
    }
    if (options.useDora()) {
      require("use_dora", Optional.of(true), has.dora());
    }
  }

  private static List<String> sorted(List<String> names) {
    return names.stream().sorted().toList();
  }

  private static <V> void require(String option, Optional<V> given, V has) {
    if (given.isPresent() && !given.get().equals(has)) {
      throw new UsageException(
          option,
          "is %s".formatted(OptionType.text(given.get())),
          OptionText.of(
              "the adapter of {adapter} was made with %s",
              OptionType.text(has).isEmpty() ? "none" : OptionType.text(has)),
          "leave it out");
    }
  }
}
