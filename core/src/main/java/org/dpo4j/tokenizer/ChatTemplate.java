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
import java.util.Objects;
import java.util.stream.Stream;
import org.dpo4j.DpoException;
import org.dpo4j.Message;
import org.dpo4j.data.BoundedJson;
import org.dpo4j.data.JsonFault;
import org.dpo4j.jinja.Rendering;
import org.dpo4j.jinja.Template;
import org.dpo4j.jinja.TemplateException;
import org.dpo4j.options.BoundedFile;
import org.dpo4j.options.Limit;
import org.dpo4j.tokenizer.ChatRenderer.MarkedText;
import org.jspecify.annotations.Nullable;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.JsonNode;

/**
 * The program in a checkpoint that turns messages into the text the model was trained on, with the
 * variables and functions that transformers provides. Immutable.
 */
public final class ChatTemplate {
  static final String DEFAULT = "default";
  static final String TOOL_USE = "tool_use";
  static final String FILE = "chat_template.jinja";
  static final String ADDITIONAL = "additional_chat_templates";
  private static final String CONFIG_FILE = "tokenizer_config.json";

  /** The fields in which data sets keep a turn's reasoning; templates read the first. */
  private static final List<String> REASONING =
      List.of("reasoning_content", "thinking", "reasoning");

  private final Template template;
  private final String text;
  private final String origin;
  private final Clock clock;

  private ChatTemplate(Template template, String text, String origin, Clock clock) {
    this.template = template;
    this.text = text;
    this.origin = origin;
    this.clock = clock;
  }

  /**
   * @param origin the template's name in messages, such as its file name
   * @throws DpoException with origin and line, when the source is not a template
   */
  public static ChatTemplate parse(String source, String origin) {
    try {
      return new ChatTemplate(
          Template.parse(source, origin), source, origin, Clock.system(ZoneId.systemDefault()));
    } catch (TemplateException e) {
      throw new DpoException(String.valueOf(e.getMessage()), e);
    }
  }

  /**
   * The templates of a checkpoint by name: {@code default}, and {@code tool_use} if there is one
   * for conversations with tools. They are {@code chat_template.jinja} and {@code
   * additional_chat_templates/tool_use.jinja}; without files, {@code chat_template} in {@code
   * tokenizer_config.json}, a string or a list of named templates.
   *
   * @return empty, or templates of which one is named {@code default}
   * @throws DpoException when a file cannot be read or a template does not parse
   */
  public static Map<String, ChatTemplate> fromModelFolder(Path folder) {
    Path file = folder.resolve(FILE);
    Path tools = folder.resolve(ADDITIONAL).resolve("tool_use.jinja");
    Map<String, ChatTemplate> templates = new HashMap<>();
    if (Files.isRegularFile(file)) {
      templates.put(DEFAULT, parse(read(file, Limit.TEMPLATE_BYTES), file.toString()));
      if (Files.isRegularFile(tools)) {
        templates.put(TOOL_USE, parse(read(tools, Limit.TEMPLATE_BYTES), tools.toString()));
      }
      return templates;
    }
    if (hasTemplates(folder.resolve(ADDITIONAL))) {
      throw new DpoException(
          ("[%s] must lie beside a %s but there is none; transformers passes over \"chat_template\" in"
                  + " %s where this folder has templates. Save the default template as %s")
              .formatted(folder.resolve(ADDITIONAL), FILE, CONFIG_FILE, FILE));
    }
    Path config = folder.resolve(CONFIG_FILE);
    if (!Files.isRegularFile(config)) {
      return templates;
    }
    try {
      JsonNode found =
          BoundedJson.LENIENT.readTree(read(config, Limit.CONFIG_BYTES)).path("chat_template");
      sources(found, config)
          .forEach(
              (name, source) ->
                  templates.put(name, parse(source, config + " chat_template " + name)));
      return templates;
    } catch (JacksonException e) {
      throw new DpoException("[" + config + "] must be JSON but is not: " + JsonFault.words(e), e);
    }
  }

  /**
   * The text of a template's file, with the line breaks that Python reads.
   *
   * @throws DpoException if it cannot be read
   */
  public static String source(Path file) {
    return read(file, Limit.TEMPLATE_BYTES).replace("\r\n", "\n").replace('\r', '\n');
  }

  private static boolean hasTemplates(Path folder) {
    try (Stream<Path> files = Files.isDirectory(folder) ? Files.list(folder) : Stream.empty()) {
      return files.anyMatch(file -> file.toString().endsWith(".jinja"));
    } catch (IOException e) {
      throw new DpoException("[" + folder + "] cannot be read: " + e.getMessage(), e);
    }
  }

  private static Map<String, String> sources(JsonNode found, Path config) {
    Map<String, String> sources = new HashMap<>();
    if (found.isMissingNode() || found.isNull()) {
      return sources;
    } else if (found.isString()) {
      sources.put(DEFAULT, found.stringValue());
    }
    for (JsonNode named : found) {
      String name = named.path("name").asString("");
      if (name.equals(DEFAULT) || name.equals(TOOL_USE)) {
        sources.put(name, named.path("template").asString(""));
      }
    }
    if (!sources.containsKey(DEFAULT)) {
      throw new DpoException(
          "[%s] chat_template must be a string or a list with a template named 'default' but is neither; put the template into %s"
              .formatted(config, FILE));
    }
    return sources;
  }

  private static String read(Path file, Limit limit) {
    try {
      return BoundedFile.text(file, limit);
    } catch (IOException e) {
      throw new DpoException("[" + file + "] cannot be read as UTF-8 text: " + e.getMessage(), e);
    }
  }

  /** The template's source. */
  String text() {
    return text;
  }

  /** The same template with another clock for {@code strftime_now}. */
  public ChatTemplate withClock(Clock clock) {
    return new ChatTemplate(template, text, origin, clock);
  }

  /**
   * Renders a conversation.
   *
   * @param addGenerationPrompt whether the text ends with the header of the assistant's turn
   * @param variables further variables, such as {@code bos_token}, {@code eos_token} and {@code
   *     enable_thinking}; {@code tools} and {@code documents} default to none
   * @throws TemplateRefusedException when the template refuses the messages with {@code
   *     raise_exception}
   * @throws DpoException with origin and line, when the template fails or exceeds its limits
   */
  public String render(
      List<Message> messages,
      boolean addGenerationPrompt,
      Map<String, @Nullable Object> variables) {
    return rendered(messages, addGenerationPrompt, variables).text();
  }

  /** Renders a conversation as {@link #render}, and marks what the assistant writes. */
  MarkedText renderMarked(List<Message> messages, Map<String, @Nullable Object> variables) {
    Rendering rendering = rendered(messages, false, variables);
    return new MarkedText(
        rendering.text(),
        rendering.generated().stream()
            .map(span -> new MarkedText.Span(span.start(), span.end()))
            .toList());
  }

  boolean marksGenerated() {
    return template.marksGenerated();
  }

  String origin() {
    return origin;
  }

  private Rendering rendered(
      List<Message> messages,
      boolean addGenerationPrompt,
      Map<String, @Nullable Object> variables) {
    Map<String, @Nullable Object> names = new HashMap<>();
    names.put("tools", null);
    names.put("documents", null);
    names.putAll(variables);
    List<@Nullable Object> turns = new ArrayList<>();
    messages.forEach(message -> turns.add(turn(message.fields())));
    names.put("messages", turns);
    names.put("add_generation_prompt", addGenerationPrompt);
    try {
      return template.renderMarked(
          names, Map.of("raise_exception", this::refuse, "strftime_now", this::now));
    } catch (TemplateException e) {
      throw new DpoException(String.valueOf(e.getMessage()), e);
    }
  }

  /**
   * A turn as transformers passes it to the template: without null fields, and with reasoning under
   * the name that templates read.
   */
  private static Map<String, @Nullable Object> turn(Map<String, @Nullable Object> fields) {
    Map<String, @Nullable Object> turn = new LinkedHashMap<>(fields);
    turn.values().removeIf(Objects::isNull);
    for (String name : REASONING) {
      Object reasoning = turn.get(name);
      if (reasoning != null) {
        Map<String, @Nullable Object> aliased = new LinkedHashMap<>();
        aliased.put("thinking", reasoning);
        aliased.putAll(turn);
        aliased.put("reasoning_content", reasoning);
        return aliased;
      }
    }
    return turn;
  }

  private String refuse(String reason) {
    throw new TemplateRefusedException(origin, reason);
  }

  private String now(String format) {
    return Strftime.format(ZonedDateTime.now(clock), format);
  }
}
