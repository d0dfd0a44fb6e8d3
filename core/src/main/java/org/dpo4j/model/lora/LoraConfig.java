package org.dpo4j.model.lora;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.regex.Pattern;

/**
 * The configuration of an adapter. Hu et al. 2021, arXiv 2106.09685; Kalajdzievski 2023, arXiv
 * 2312.03732 for {@code rsLora}.
 *
 * @param rank of the two factors for layers without a pattern; at least 1
 * @param alpha numerator of the scale for layers without a pattern
 * @param dropout probability that an element of the adapter's input is dropped in training, in [0,
 *     1)
 * @param rsLora whether the scale is alpha/sqrt(rank) instead of alpha/rank
 * @param dora whether the lengths of the rows of W + s B A are trained apart from their directions.
 *     Liu et al. 2024, arXiv 2402.09353
 * @param layers selects the layers
 * @param bias the model's own biases that are trained too
 * @param modulesToSave suffixes of the paths of modules whose weights are trained in full
 * @param rankPattern ranks by regular expression on the end of a path; the first match applies
 * @param alphaPattern alphas by regular expression, as for the ranks
 * @param ensureWeightTying whether a head that is the embedding table stays it, where one of the
 *     two is adapted or trained in full
 */
public record LoraConfig(
    int rank,
    double alpha,
    double dropout,
    boolean rsLora,
    boolean dora,
    LayerChoice layers,
    Bias bias,
    List<String> modulesToSave,
    Map<String, Integer> rankPattern,
    Map<String, Double> alphaPattern,
    boolean ensureWeightTying) {

  /** Biases of the model that are trained in full, as PEFT's {@code bias}. */
  public enum Bias {
    NONE,
    /** All of them, those of norms too. */
    ALL,
    /** Those of the layers that have an adapter. */
    LORA_ONLY
  }

  /** The name of the output head. */
  public static final String HEAD = "lm_head";

  /** The names of the output head in all families. */
  static final Set<String> HEADS = Set.of(HEAD, "output_projection");

  /** The names at which PEFT keeps head and embedding table tied. */
  static final Set<String> TIED = Set.of("embed_tokens", HEAD);

  public LoraConfig {
    modulesToSave = List.copyOf(modulesToSave);
    rankPattern = new LinkedHashMap<>(rankPattern); // the first match applies
    alphaPattern = new LinkedHashMap<>(alphaPattern);
  }

  /** An adapter on all layers that a rule selects. */
  public LoraConfig(
      int rank,
      double alpha,
      double dropout,
      boolean rsLora,
      TargetModules targets,
      List<String> modulesToSave,
      Map<String, Integer> rankPattern,
      Map<String, Double> alphaPattern) {
    this(
        rank,
        alpha,
        dropout,
        rsLora,
        false,
        new LayerChoice(targets),
        Bias.NONE,
        modulesToSave,
        rankPattern,
        alphaPattern,
        false);
  }

  /** The same on the layers of the targets in all blocks, with nothing left out. */
  public LoraConfig everywhere() {
    return new LoraConfig(
        rank,
        alpha,
        dropout,
        rsLora,
        dora,
        layers.everywhere(),
        bias,
        modulesToSave,
        rankPattern,
        alphaPattern,
        ensureWeightTying);
  }

  /** Whether a table that is the head as well is trained in full for both uses. */
  public boolean savesTied() {
    return ensureWeightTying && modulesToSave.stream().anyMatch(LoraConfig::namesTied);
  }

  /** Whether a table that is the head as well gets one adapter for both uses. */
  public boolean adaptsTied() {
    return ensureWeightTying && !savesTied() && layers.targets().namesTied();
  }

  /** Whether the last component of a path is a name at which PEFT ties. */
  static boolean namesTied(String name) {
    return TIED.contains(name.substring(name.lastIndexOf('.') + 1));
  }

  /** Whether the embedding table with this path gets an adapter. */
  public boolean adaptsTable(String path) {
    return !(layers.targets() instanceof TargetModules.AllLinear) && adapts(path);
  }

  /** Whether the linear layer with this path gets an adapter. */
  public boolean adapts(String path) {
    return layers.selects(path) && !saves(path);
  }

  /** Whether the layer is in a module that is trained in full: PEFT puts no adapter there. */
  private boolean saves(String path) {
    return modulesToSave.stream()
        .anyMatch(module -> Pattern.matches("(|.*\\.)" + Pattern.quote(module) + "(|\\..*)", path));
  }

  /** The rank of a layer's factors. */
  public int rank(String path) {
    return byPattern("rank_pattern", rankPattern, path).orElse(rank);
  }

  /** The scale of B A x in a layer: alpha/rank, or alpha/sqrt(rank) for rsLoRA. */
  public double scale(String path) {
    double numerator = byPattern("alpha_pattern", alphaPattern, path).orElse(alpha);
    int rank = rank(path);
    return numerator / (rsLora ? Math.sqrt(rank) : rank);
  }

  private static <V> Optional<V> byPattern(String setting, Map<String, V> patterns, String path) {
    return patterns.entrySet().stream()
        .filter(entry -> fits(setting, entry.getKey(), path))
        .map(Map.Entry::getValue)
        .findFirst();
  }

  /** Whether a pattern matches the whole path or the whole rest after a dot. */
  static boolean fits(String setting, String key, String path) {
    return PathPattern.matches(setting, Pattern.compile("(.*\\.)?(" + key + ")"), path);
  }
}
