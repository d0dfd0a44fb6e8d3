package org.dpo4j.weights;

import org.dpo4j.data.BoundedJson;
import org.dpo4j.data.JsonFault;
import tools.jackson.core.JacksonException;
import tools.jackson.core.StreamReadFeature;
import tools.jackson.core.util.DefaultIndenter;
import tools.jackson.core.util.DefaultPrettyPrinter;
import tools.jackson.core.util.Separators;
import tools.jackson.databind.DeserializationFeature;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** JSON of checkpoints: read strictly, written in Hugging Face's form. */
final class Json {

  /** Refuses duplicate names and anything after the value. */
  static final JsonMapper STRICT =
      BoundedJson.builder()
          .enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION)
          .enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS)
          .build();

  private static final DefaultIndenter TWO_SPACES = new DefaultIndenter("  ", "\n");

  private Json() {}

  /** What is wrong, in one line, with line and column. */
  static String why(JacksonException failure) {
    String where =
        failure.getLocation() == null
            ? ""
            : " (line "
                + failure.getLocation().getLineNr()
                + ", column "
                + failure.getLocation().getColumnNr()
                + ")";
    return JsonFault.words(failure) + where;
  }

  /** Indents by two spaces, one element per line, with a newline at the end. */
  static String pretty(JsonNode tree) {
    DefaultPrettyPrinter printer =
        new DefaultPrettyPrinter(
                Separators.createDefaultInstance()
                    .withObjectNameValueSpacing(Separators.Spacing.AFTER)
                    .withArrayEmptySeparator("")
                    .withObjectEmptySeparator(""))
            .withObjectIndenter(TWO_SPACES)
            .withArrayIndenter(TWO_SPACES);
    return STRICT.writer().with(printer).writeValueAsString(tree) + "\n";
  }
}
