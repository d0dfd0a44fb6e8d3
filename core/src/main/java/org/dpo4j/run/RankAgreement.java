package org.dpo4j.run;

import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.zip.CRC32C;
import org.dpo4j.DpoException;
import org.dpo4j.config.ResumeRules;
import org.dpo4j.config.TrainingConfig;
import org.dpo4j.ranks.Ranks;

/**
 * Requires of all ranks that they do the same run. Without this check, a rank with other data or
 * options would train on: the sums of gradients, and so the weights, are the same on all ranks.
 */
final class RankAgreement {

  private RankAgreement() {}

  /**
   * Compares options and inputs with those of rank 0.
   *
   * @throws DpoException on all ranks if one differs
   */
  static void require(TrainingConfig config, RunIdentity identity, Ranks ranks) {
    if (!ranks.several()) {
      return;
    }
    Map<String, String> parts = new LinkedHashMap<>();
    parts.put("the options", ResumeRules.deciding(config).toString());
    parts.putAll(identity.hashes());
    List<String> names = new ArrayList<>(parts.keySet());
    double[] own = parts.values().stream().mapToDouble(RankAgreement::checksum).toArray();
    double[] first = ranks.ofFirst(own);
    List<String> differing = new ArrayList<>();
    for (int i = 0; i < own.length; i++) {
      if (own[i] != first[i]) {
        differing.add(names.get(i));
      }
    }
    if (ranks.any(!differing.isEmpty())) {
      throw new DpoException(
          differing.isEmpty()
              ? "all ranks must have the same options, model and data but another rank has others; its message names them"
              : "all ranks must have the same options, model and data but here %s differ from those of rank 0; start all ranks with the same command and the same files"
                  .formatted(String.join(", ", differing)));
    }
  }

  private static long checksum(String text) {
    CRC32C crc = new CRC32C();
    crc.update(text.getBytes(StandardCharsets.UTF_8));
    return crc.getValue();
  }
}
