package org.dpo4j.data;

import org.dpo4j.options.Limit;
import tools.jackson.core.StreamReadConstraints;
import tools.jackson.core.StreamReadFeature;
import tools.jackson.core.json.JsonFactory;
import tools.jackson.databind.DeserializationFeature;
import tools.jackson.databind.json.JsonMapper;

/** JSON parsers that refuse a document before it takes all memory or the stack. */
public final class BoundedJson {
  /** Nesting of objects and arrays. */
  public static final int DEPTH = 200;

  /** Digits of a number, which may be longer than any number type. */
  public static final int NUMBER = 1000;

  /** Characters of a name. */
  public static final int NAME = 50_000;

  /** Reads what is allowed to repeat a name, as Python's json does. */
  public static final JsonMapper LENIENT = builder().build();

  private BoundedJson() {}

  /** {@link #builder} for files of our own, in which nothing is left out, added or repeated. */
  public static JsonMapper.Builder strict() {
    return builder()
        .enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION)
        .enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS)
        .enable(DeserializationFeature.FAIL_ON_UNKNOWN_PROPERTIES)
        .enable(DeserializationFeature.FAIL_ON_MISSING_CREATOR_PROPERTIES)
        .enable(DeserializationFeature.FAIL_ON_NULL_FOR_PRIMITIVES);
  }

  /** A mapper's settings with these limits. */
  public static JsonMapper.Builder builder() {
    return JsonMapper.builder(
        JsonFactory.builder()
            .streamReadConstraints(
                StreamReadConstraints.builder()
                    .maxNestingDepth(DEPTH)
                    .maxNumberLength(NUMBER)
                    .maxNameLength(NAME)
                    .maxStringLength(Limit.TOKENIZER_BYTES.length())
                    .maxTokenCount(Limit.JSON_TOKENS.value())
                    .build())
            .build());
  }
}
