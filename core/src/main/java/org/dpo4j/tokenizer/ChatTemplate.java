package org.dpo4j.tokenizer;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Clock;
import java.time.ZoneId;
import java.time.ZonedDateTime;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.dpo4j.DpoException;
import org.dpo4j.data.JsonFault;
import org.dpo4j.data.Message;
import org.dpo4j.tokenizer.jinja.Template;
import org.jspecify.annotations.Nullable;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/**
 * The program in a checkpoint that turns messages into the text the model was trained on, with the
 * names and functions that transformers gives it. Immutable.
 */
public final class ChatTemplate {
  private static final String TEMPLATE_FILE = "chat_template.jinja";
  private static final String CONFIG_FILE = "tokenizer_config.json";

  /** The names under which datasets carry a turn's reasoning; templates read the first. */
  private static final List<String> REASONING =
      List.of("reasoning_content", "thinking", "reasoning");

  private final Template template;
  private final String origin;
  private final Clock clock;

  private ChatTemplate(Template template, String origin, Clock clock) {
    this.template = template;
    this.origin = origin;
    this.clock = clock;
  }

  /**
   * @param origin what error messages call the template, the file's name say
   * @throws DpoException with origin and line, when the source is not a template
   */
  public static ChatTemplate parse(String source, String origin) {
    return new ChatTemplate(
        Template.parse(source, origin), origin, Clock.system(ZoneId.systemDefault()));
  }

  /**
   * The template of a checkpoint: {@code chat_template.jinja}, else {@code chat_template} in {@code
   * tokenizer_config.json}, a string or a list of named templates of which the one named {@code
   * default} counts. Empty where the folder has none.
   *
   * @throws DpoException when a file cannot be read or its template does not parse
   */
  public static Optional<ChatTemplate> fromModelFolder(Path folder) {
    Path file = folder.resolve(TEMPLATE_FILE);
    if (Files.isRegularFile(file)) {
      return Optional.of(parse(read(file), file.toString()));
    }
    Path config = folder.resolve(CONFIG_FILE);
    if (!Files.isRegularFile(config)) {
      return Optional.empty();
    }
    try {
      JsonNode found = JsonMapper.shared().readTree(read(config)).path("chat_template");
      String origin = config + " chat_template";
      return defaultTemplate(found, config).map(source -> parse(source, origin));
    } catch (JacksonException e) {
      throw new DpoException("[" + config + "] must be JSON but is not: " + JsonFault.words(e), e);
    }
  }

  private static Optional<String> defaultTemplate(JsonNode found, Path config) {
    if (found.isMissingNode() || found.isNull()) {
      return Optional.empty();
    } else if (found.isString()) {
      return Optional.of(found.stringValue());
    }
    for (JsonNode named : found) {
      if (named.path("name").asString("").equals("default")) {
        return Optional.of(named.path("template").asString(""));
      }
    }
    throw new DpoException(
        "["
            + config
            + "] chat_template must be a string or a list with a template named 'default' but is"
            + " neither; put the template into "
            + TEMPLATE_FILE);
  }

  private static String read(Path file) {
    try {
      return Files.readString(file);
    } catch (IOException e) {
      throw new DpoException("[" + file + "] cannot be read as UTF-8 text: " + e.getMessage(), e);
    }
  }

  /** The same template with another clock for {@code strftime_now}. */
  public ChatTemplate withClock(Clock clock) {
    return new ChatTemplate(template, origin, clock);
  }

  /**
   * The conversation as text.
   *
   * @param addGenerationPrompt whether the text ends where the assistant begins to answer
   * @param variables further names, {@code bos_token}, {@code eos_token} and {@code
   *     enable_thinking} say; {@code tools} and {@code documents} are none unless given
   * @throws TemplateRefusedException when the template says that it cannot show these messages
   * @throws DpoException with origin and line, when the template fails or goes out of bounds
   */
  public String render(
      List<Message> messages,
      boolean addGenerationPrompt,
      Map<String, @Nullable Object> variables) {
    Map<String, @Nullable Object> names = new HashMap<>();
    names.put("tools", null);
    names.put("documents", null);
    names.putAll(variables);
    List<@Nullable Object> turns = new ArrayList<>();
    messages.forEach(message -> turns.add(withReasoning(message.fields())));
    names.put("messages", turns);
    names.put("add_generation_prompt", addGenerationPrompt);
    return template.render(
        names, Map.of("raise_exception", this::refuse, "strftime_now", this::now));
  }

  /** Reasoning under any of its names appears under those that templates read. */
  private static Map<String, @Nullable Object> withReasoning(Map<String, @Nullable Object> fields) {
    for (String name : REASONING) {
      Object reasoning = fields.get(name);
      if (reasoning != null) {
        Map<String, @Nullable Object> turn = new LinkedHashMap<>();
        turn.put("thinking", reasoning);
        turn.putAll(fields);
        turn.put("reasoning_content", reasoning);
        return turn;
      }
    }
    return fields;
  }

  private String refuse(String reason) {
    throw new TemplateRefusedException(origin, reason);
  }

  private String now(String format) {
    return Strftime.format(ZonedDateTime.now(clock), format);
  }
}
