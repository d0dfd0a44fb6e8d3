package org.dpo4j.encode;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import org.dpo4j.UsageException;

/**
 * The number of pairs that each entry contributes to a mixture with given shares, by the rule of
 * TRL 1.16's {@code fraction}: the largest mixture without repeated pairs, made of the first pairs
 * of each entry.
 */
final class Mixture {
  private Mixture() {}

  /**
   * @param available usable pairs of each entry
   * @param weights positive, one per entry; only their ratios matter
   * @return {@code round(share * N)} per entry, with the largest N for which every entry has enough
   *     pairs
   * @throws UsageException if an entry would contribute no pair
   */
  static List<Integer> take(List<Integer> available, List<Double> weights) {
    double sum = weights.stream().mapToDouble(Double::doubleValue).sum();
    double total = Double.POSITIVE_INFINITY;
    for (int i = 0; i < weights.size(); i++) {
      total = Math.min(total, available.get(i) / (weights.get(i) / sum));
    }
    List<Integer> taken = new ArrayList<>();
    for (int i = 0; i < weights.size(); i++) {
      int pairs = (int) Math.rint(weights.get(i) / sum * total);
      if (pairs == 0) {
        throw new UsageException(
            "data_weights",
            "must leave a pair of each entry",
            String.format(
                Locale.ROOT,
                "of entry %d, with %d usable pairs and a share of %.2g %% of %d pairs, none is left",
                i + 1,
                available.get(i),
                100 * weights.get(i) / sum,
                (long) total),
            "change the weights or leave the entry out");
      }
      taken.add(Math.min(pairs, available.get(i)));
    }
    return taken;
  }
}
