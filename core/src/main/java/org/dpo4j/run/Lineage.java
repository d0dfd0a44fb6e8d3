package org.dpo4j.run;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.dpo4j.DpoException;
import org.dpo4j.options.BoundedFile;
import org.dpo4j.options.Limit;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.JsonNode;
import tools.jackson.dataformat.yaml.YAMLMapper;

/** The chain of base models from which a model was tuned, as far as the folders record it. */
final class Lineage {
  private static final YAMLMapper YAML = new YAMLMapper();
  private static final Pattern FRONT_MATTER =
      Pattern.compile("\\A---\\R(.*?)\\R---", Pattern.DOTALL);

  /** Limits the chain: folders may name each other in a circle. */
  private static final int MOST = 8;

  private Lineage() {}

  /** The bases of a model's folder, the nearest first: folders or hub names. */
  static List<String> of(Path model) {
    List<String> bases = new ArrayList<>();
    Optional<String> base = base(model);
    while (base.isPresent() && bases.size() < MOST && !bases.contains(base.get())) {
      bases.add(base.get());
      base = base(base.get());
    }
    return bases;
  }

  private static Optional<String> base(String nameOrPath) {
    try {
      return base(Path.of(nameOrPath));
    } catch (InvalidPathException e) {
      return Optional.empty();
    }
  }

  /** The record of the run takes precedence; a card may be written by any tool. */
  private static Optional<String> base(Path model) {
    return yaml(model.resolve("dpo4j.yaml"), Pattern.compile("(.*)", Pattern.DOTALL), "model")
        .or(() -> yaml(model.resolve("README.md"), FRONT_MATTER, "base_model"));
  }

  /** A text, or the only text of a list; empty where there is none, or no such file. */
  private static Optional<String> yaml(Path file, Pattern part, String key) {
    if (!Files.isRegularFile(file)) {
      return Optional.empty();
    }
    try {
      Matcher matcher = part.matcher(BoundedFile.text(file, Limit.TEMPLATE_BYTES));
      JsonNode value =
          matcher.find() ? YAML.readTree(matcher.group(1)).path(key) : YAML.missingNode();
      JsonNode text = value.isArray() && value.size() == 1 ? value.get(0) : value;
      return text.isString() ? Optional.of(text.stringValue()) : Optional.empty();
    } catch (IOException | JacksonException | DpoException e) {
      return Optional.empty(); // ignore a malformed card
    }
  }
}
