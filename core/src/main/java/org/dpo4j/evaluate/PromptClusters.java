package org.dpo4j.evaluate;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.HashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.apache.commons.math3.ml.clustering.CentroidCluster;
import org.apache.commons.math3.ml.clustering.DoublePoint;
import org.apache.commons.math3.ml.clustering.KMeansPlusPlusClusterer;
import org.apache.commons.math3.ml.distance.EuclideanDistance;
import org.apache.commons.math3.random.JDKRandomGenerator;

/**
 * Groups prompts by their words: k-means over hashed TF-IDF vectors. The groups are rough, and are
 * named after the words that set them apart.
 */
public final class PromptClusters {

  /** Fewer pairs than this in a cluster say nothing. */
  private static final int PAIRS_PER_CLUSTER = 25;

  private static final int MOST_CLUSTERS = 8;

  /** Each prompt takes {@value #DIMENSIONS} numbers; more of them are not clustered. */
  public static final int MOST_PROMPTS = 20_000;

  private static final int DIMENSIONS = 128;
  private static final int MOST_WORDS = 64;
  private static final int SHOWN_WORDS = 3;
  private static final int ITERATIONS = 50;
  private static final double MOST_COMMON = 0.5;
  private static final Pattern WORD = Pattern.compile("\\p{L}{3,24}");

  private final List<String[]> prompts = new ArrayList<>();

  /** Adds the next prompt. */
  public void add(String prompt) {
    if (prompts.size() > MOST_PROMPTS) {
      return;
    }
    Set<String> words = new LinkedHashSet<>();
    Matcher matcher = WORD.matcher(prompt);
    while (words.size() < MOST_WORDS && matcher.find()) {
      words.add(matcher.group().toLowerCase(Locale.ROOT).intern());
    }
    prompts.add(words.toArray(String[]::new)); // a set would take ten times the memory
  }

  /** The name of each prompt's cluster; empty if there are too few or too many prompts. */
  public List<String> names() {
    int clusters = Math.min(MOST_CLUSTERS, prompts.size() / PAIRS_PER_CLUSTER);
    if (clusters < 2 || prompts.size() > MOST_PROMPTS) {
      return List.of();
    }
    Map<String, Integer> documents = new HashMap<>();
    prompts.forEach(
        words -> Arrays.stream(words).forEach(word -> documents.merge(word, 1, Integer::sum)));
    // Words of every second prompt are of the language or of the chat template.
    documents.values().removeIf(count -> count < 2 || count > MOST_COMMON * prompts.size());
    List<Numbered> points = new ArrayList<>();
    for (int i = 0; i < prompts.size(); i++) {
      points.add(new Numbered(i, vector(prompts.get(i), documents)));
    }
    KMeansPlusPlusClusterer<Numbered> means =
        new KMeansPlusPlusClusterer<>(
            clusters, ITERATIONS, new EuclideanDistance(), new JDKRandomGenerator(0));
    String[] names = new String[prompts.size()];
    for (CentroidCluster<Numbered> cluster : means.cluster(points)) {
      String name = name(cluster.getPoints(), documents);
      cluster.getPoints().forEach(point -> names[point.number] = name);
    }
    return Arrays.asList(names);
  }

  private static final class Numbered extends DoublePoint {
    private static final long serialVersionUID = 1;
    private final int number;

    Numbered(int number, double[] point) {
      super(point);
      this.number = number;
    }
  }

  /** Each word adds its inverse document frequency to one place, with a sign. Length 1. */
  private double[] vector(String[] words, Map<String, Integer> documents) {
    double[] vector = new double[DIMENSIONS];
    for (String word : words) {
      Integer count = documents.get(word);
      if (count != null) {
        int hash = Integer.rotateLeft(word.hashCode() * 0x9E3779B1, 13) * 0x85EBCA6B;
        int place = (hash >>> 8) % DIMENSIONS;
        vector[place] += (hash & 1) == 0 ? idf(count) : -idf(count);
      }
    }
    double length = Math.sqrt(Arrays.stream(vector).map(x -> x * x).sum());
    return length == 0 ? vector : Arrays.stream(vector).map(x -> x / length).toArray();
  }

  private double idf(int count) {
    return Math.log((double) prompts.size() / count);
  }

  /** The words whose share in the cluster is most above their share in all prompts. */
  private String name(List<Numbered> members, Map<String, Integer> documents) {
    Map<String, Integer> inside = new TreeMap<>();
    for (Numbered member : members) {
      Arrays.stream(prompts.get(member.number))
          .filter(documents::containsKey)
          .forEach(word -> inside.merge(word, 1, Integer::sum));
    }
    List<String> words =
        inside.entrySet().stream()
            .sorted(
                Comparator.comparingDouble(
                    (Map.Entry<String, Integer> entry) ->
                        (double) documents.getOrDefault(entry.getKey(), 0) / prompts.size()
                            - (double) entry.getValue() / members.size()))
            .limit(SHOWN_WORDS)
            .map(Map.Entry::getKey)
            .toList();
    return words.isEmpty() ? "no common words" : String.join(", ", words);
  }
}
