package org.dpo4j.reference;

import java.io.Serializable;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.util.Collections;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import org.dpo4j.data.Sha256;
import org.dpo4j.encode.EncodedExample;
import org.dpo4j.encode.ExampleDigest;
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

  private final int examples;
  private final int completions;
  private final Map<String, String> parts;
  private final String fingerprint;

  private ReferenceKey(int examples, int completions, Map<String, String> parts) {
    this.examples = examples;
    this.completions = completions;
    this.parts = Collections.unmodifiableMap(parts);
    this.fingerprint = Sha256.of(text(parts).getBytes(StandardCharsets.UTF_8));
  }

  /**
   * The key of a data set under a model.
   *
   * @param files the model's
   * @param examples the data set, in its order; at least one
   * @param tail weights the tokens of a pair
   * @param computation the number type in which the model computes, as in {@code float32}
   */
  public static ReferenceKey of(
      ReferenceFiles files,
      List<EncodedExample> examples,
      LengthDesensitizing tail,
      String computation) {
    Ids ids = new Ids();
    examples.forEach(ids::add);
    return of(files, ids.hash(), tail, computation);
  }

  /**
   * The same for examples that are hashed one by one.
   *
   * @param examples of the data set, at least one
   */
  public static ReferenceKey of(
      ReferenceFiles files, IdsHash examples, LengthDesensitizing tail, String computation) {
    Map<String, String> parts = new LinkedHashMap<>(files.parts());
    parts.put("pairs", Integer.toString(examples.examples()));
    parts.put("ids", examples.sha256());
    parts.put("ld_alpha", Double.toString(tail.alpha()));
    parts.put("computation", computation);
    parts.put("numerics", Integer.toString(NUMERICS));
    return new ReferenceKey(examples.examples(), examples.completions(), parts);
  }

  /**
   * What a key says of a data set.
   *
   * @param examples their number, at least 1
   * @param completions of each example
   * @param sha256 of all ids, in lower-case hex
   */
  public record IdsHash(int examples, int completions, String sha256) implements Serializable {}

  /** Hashes the ids of a data set, example after example in its order. */
  public static final class Ids {
    private final MessageDigest digest = Sha256.digest();
    private int examples;
    private int completions;

    /** Adds the next example. */
    public void add(EncodedExample example) {
      ExampleDigest.update(digest, example);
      if (examples++ == 0) {
        completions = example.completions().size();
      }
    }

    /** The hash of all examples; to be called once. */
    public IdsHash hash() {
      return new IdsHash(examples, completions, HexFormat.of().formatHex(digest.digest()));
    }
  }

  /** How many examples the data set has. */
  public int examples() {
    return examples;
  }

  /** How many completions each of them has. */
  public int completions() {
    return completions;
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
