package org.dpo4j.judge;

import com.networknt.schema.Schema;
import com.networknt.schema.SchemaRegistry;
import com.networknt.schema.SpecificationVersion;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;
import org.dpo4j.DpoException;
import org.dpo4j.data.SampledPrompt;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.DeserializationFeature;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** Parses a completion as JSON and validates it. */
final class JsonJudge implements Judge {
  private static final JsonMapper JSON =
      JsonMapper.builder().enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS).build();

  private final Optional<Path> file;
  private final Optional<Schema> schema;

  JsonJudge(Optional<Path> file) {
    this.file = file;
    this.schema = file.map(JsonJudge::read);
  }

  private static Schema read(Path file) {
    try {
      JsonNode node = JSON.readTree(Files.readString(file));
      if (!node.isObject()) {
        throw new DpoException(
            "[%s] a JSON schema must be an object but is %s".formatted(file, node.getNodeType()));
      }
      return SchemaRegistry.withDefaultDialect(SpecificationVersion.DRAFT_2020_12).getSchema(node);
    } catch (IOException e) {
      throw new DpoException("[%s] cannot be read: %s".formatted(file, e.getMessage()), e);
    } catch (JacksonException e) {
      throw new DpoException(
          "[%s] a JSON schema must be JSON but is not: %s".formatted(file, e.getOriginalMessage()),
          e);
    }
  }

  @Override
  public double[] scores(SampledPrompt prompt) {
    return prompt.completions().stream()
        .mapToDouble(completion -> allows(completion.text()) ? 1 : 0)
        .toArray();
  }

  private boolean allows(String text) {
    JsonNode value;
    try {
      value = JSON.readTree(text);
    } catch (JacksonException e) {
      return false;
    }
    return !value.isMissingNode() && schema.map(rules -> allows(rules, value)).orElse(true);
  }

  private boolean allows(Schema rules, JsonNode value) {
    try {
      return rules.validate(value).isEmpty();
    } catch (RuntimeException e) { // the library has no common type for a schema it cannot apply
      throw new DpoException(
          "[%s] the schema cannot be applied: %s".formatted(file.orElseThrow(), e.getMessage()), e);
    }
  }
}
