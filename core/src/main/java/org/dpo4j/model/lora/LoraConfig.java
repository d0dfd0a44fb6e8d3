package org.dpo4j.model.lora;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.regex.Pattern;

/**
 * What an adapter is made of. Hu et al. 2021, arXiv 2106.09685; Kalajdzievski 2023, arXiv
 * 2312.03732 for {@code rsLora}.
 *
 * @param rank of the two factors where no pattern says otherwise, at least 1
 * @param alpha numerator of the scale where no pattern says otherwise
 * @param dropout share of the input's numbers that the adapter does not see in training, in [0, 1)
 * @param rsLora whether the scale is alpha over the root of the rank, not over the rank
 * @param targets the layers
 * @param modulesToSave ends of the paths of modules whose own weights are trained in full
 * @param rankPattern other ranks, by regular expressions on the end of a path; the first that fits
 *     counts
 * @param alphaPattern other alphas, in the same way
 */
public record LoraConfig(
    int rank,
    double alpha,
    double dropout,
    boolean rsLora,
    TargetModules targets,
    List<String> modulesToSave,
    Map<String, Integer> rankPattern,
    Map<String, Double> alphaPattern) {

  static final String HEAD = "lm_head";

  public LoraConfig {
    modulesToSave = List.copyOf(modulesToSave);
    rankPattern = new LinkedHashMap<>(rankPattern); // the order decides
    alphaPattern = new LinkedHashMap<>(alphaPattern);
  }

  /** The rank at a layer. */
  public int rank(String path) {
    return byPattern(rankPattern, path).orElse(rank);
  }

  /** The factor of B A x at a layer. */
  public double scale(String path) {
    double numerator = byPattern(alphaPattern, path).orElse(alpha);
    int rank = rank(path);
    return numerator / (rsLora ? Math.sqrt(rank) : rank);
  }

  private static <V> Optional<V> byPattern(Map<String, V> patterns, String path) {
    return patterns.entrySet().stream()
        .filter(entry -> fits(entry.getKey(), path))
        .map(Map.Entry::getValue)
        .findFirst();
  }

  /** Whether a key of a pattern map is about a path: it matches all of it, or all after a dot. */
  static boolean fits(String key, String path) {
    return Pattern.compile("(.*\\.)?(" + key + ")").matcher(path).matches();
  }
}
