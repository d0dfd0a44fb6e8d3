package org.dpo4j.reference;

import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.util.Collections;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import org.dpo4j.data.Sha256;
import org.dpo4j.encode.EncodedPair;
import org.dpo4j.encode.PairDigest;
import org.dpo4j.logprob.LengthDesensitizing;

/**
 * Everything that determines the log-probabilities of a data set under a reference up to rounding,
 * and nothing else: the model's files, the token ids, and how they are computed.
 *
 * <p>Tokenizer, chat template, data and truncation enter through the token ids: two tokenizers that
 * give the same ids have the same key.
 */
public final class ReferenceKey {

  /**
   * Raise it with every change that alters results for the same model and ids by more than
   * rounding.
   */
  static final int NUMERICS = 1;

  private final int pairs;
  private final Map<String, String> parts;
  private final String fingerprint;

  private ReferenceKey(int pairs, Map<String, String> parts) {
    this.pairs = pairs;
    this.parts = Collections.unmodifiableMap(parts);
    this.fingerprint = Sha256.of(text(parts).getBytes(StandardCharsets.UTF_8));
  }

  /**
   * The key of a data set under a model.
   *
   * @param files the model's
   * @param pairs the data set, in its order
   * @param tail weights the tokens of a pair
   * @param computation the number type in which the model computes, as in {@code float32}
   */
  public static ReferenceKey of(
      ReferenceFiles files, List<EncodedPair> pairs, LengthDesensitizing tail, String computation) {
    Map<String, String> parts = new LinkedHashMap<>(files.parts());
    parts.put("pairs", Integer.toString(pairs.size()));
    parts.put("ids", ids(pairs));
    parts.put("ld_alpha", Double.toString(tail.alpha()));
    parts.put("computation", computation);
    parts.put("numerics", Integer.toString(NUMERICS));
    return new ReferenceKey(pairs.size(), parts);
  }

  private static String ids(List<EncodedPair> pairs) {
    MessageDigest digest = Sha256.digest();
    pairs.forEach(pair -> PairDigest.update(digest, pair));
    return HexFormat.of().formatHex(digest.digest());
  }

  /** How many pairs the data set has. */
  public int pairs() {
    return pairs;
  }

  /** What the fingerprint is made of, by name. */
  public Map<String, String> parts() {
    return parts;
  }

  /** SHA-256 of the parts, in lower-case hex. */
  public String fingerprint() {
    return fingerprint;
  }

  /** A line for each part. */
  static String text(Map<String, String> parts) {
    return parts.entrySet().stream()
        .map(part -> part.getKey() + ": " + part.getValue().replaceAll("\\R", " ") + "\n")
        .collect(Collectors.joining());
  }
}
