package org.dpo4j.evaluate;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.function.Function;
import java.util.stream.IntStream;

/**
 * A part of the pairs.
 *
 * @param by what the pairs are divided by, as in {@code length}
 * @param value what those of this part have in common
 * @param members indices of the pairs, ascending, at least one
 */
public record Slice(String by, String value, List<Integer> members) {

  private static final int QUARTILES = 4;

  /** More values than this of a column are no division but names of single rows. */
  private static final int MOST_VALUES = 20;

  public Slice {
    members = List.copyOf(members);
  }

  /** The pairs of this part. */
  public List<PairScore> of(List<PairScore> pairs) {
    return members.stream().map(pairs::get).toList();
  }

  /** By the tokens of both completions, in quarters, and by which completion is longer. */
  public static List<Slice> byLength(List<PairScore> pairs) {
    List<Slice> slices = new ArrayList<>();
    int[] order =
        IntStream.range(0, pairs.size())
            .boxed()
            .sorted((a, b) -> Integer.compare(tokens(pairs.get(a)), tokens(pairs.get(b))))
            .mapToInt(Integer::intValue)
            .toArray();
    int from = 0;
    for (int quarter = 1; quarter <= QUARTILES && from < order.length; quarter++) {
      int to = (int) ((long) order.length * quarter / QUARTILES);
      // Pairs of one length stay together.
      while (to > 0
          && to < order.length
          && tokens(pairs.get(order[to])) == tokens(pairs.get(order[to - 1]))) {
        to++;
      }
      if (to > from) {
        List<Integer> members =
            IntStream.range(from, to).map(i -> order[i]).sorted().boxed().toList();
        slices.add(
            new Slice(
                "completion tokens",
                "%,d to %,d"
                    .formatted(tokens(pairs.get(order[from])), tokens(pairs.get(order[to - 1]))),
                members));
        from = to;
      }
    }
    slices.addAll(
        by(
            "longer completion",
            IntStream.range(0, pairs.size())
                .mapToObj(
                    i ->
                        switch (Integer.signum(
                            pairs.get(i).chosenTokens() - pairs.get(i).rejectedTokens())) {
                          case 1 -> "chosen";
                          case -1 -> "rejected";
                          default -> "neither";
                        })
                .toList()));
    return slices;
  }

  private static int tokens(PairScore pair) {
    return pair.chosenTokens() + pair.rejectedTokens();
  }

  /**
   * By a value of each pair. The largest parts come first; beyond {@value #MOST_VALUES}, values are
   * put together as {@code other}.
   *
   * @param values one for each pair
   */
  public static List<Slice> by(String name, List<String> values) {
    Map<String, List<Integer>> members = new TreeMap<>();
    for (int i = 0; i < values.size(); i++) {
      members.computeIfAbsent(values.get(i), value -> new ArrayList<>()).add(i);
    }
    List<Map.Entry<String, List<Integer>>> sorted = new ArrayList<>(members.entrySet());
    Function<Map.Entry<String, List<Integer>>, Integer> size = entry -> entry.getValue().size();
    sorted.sort((a, b) -> size.apply(b) - size.apply(a));
    Map<String, List<Integer>> kept = new LinkedHashMap<>();
    for (Map.Entry<String, List<Integer>> entry : sorted) {
      String value = kept.size() < MOST_VALUES ? entry.getKey() : "other";
      kept.computeIfAbsent(value, key -> new ArrayList<>()).addAll(entry.getValue());
    }
    return kept.entrySet().stream()
        .map(entry -> new Slice(name, entry.getKey(), entry.getValue().stream().sorted().toList()))
        .toList();
  }
}
