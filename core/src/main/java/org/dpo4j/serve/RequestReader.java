package org.dpo4j.serve;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ThreadLocalRandom;
import org.dpo4j.DpoException;
import org.dpo4j.Message;
import org.dpo4j.data.BoundedJson;
import org.dpo4j.data.JsonFault;
import org.dpo4j.generate.TokenSampler;
import org.dpo4j.tokenizer.ChatRenderer;
import org.jspecify.annotations.Nullable;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** Reads the bodies of requests; each error names the field, the rule and the value. */
final class RequestReader {

  private static final JsonMapper JSON = BoundedJson.strict().build();

  private static final int MOST_ANSWERS = 128;
  private static final int MOST_ALTERNATIVES = 20;
  private static final int MOST_STOPS = 16;
  private static final int LONGEST_STOP = 1000;

  /** OpenAI's default for completions. */
  private static final int COMPLETION_TOKENS = 16;

  private static final double LARGEST_TEMPERATURE = 1e30;

  private final Server.Model model;

  RequestReader(Server.Model model) {
    this.model = model;
  }

  Ask read(Api api, byte[] body) throws ApiError {
    Fields fields = new Fields(object(body));
    requireModel(fields);
    boolean chat = api == Api.CHAT;
    boolean stream = fields.flag("stream");
    boolean usage = streamedUsage(fields, stream);
    TokenSampler sampler = sampler(fields);
    int answers = (int) fields.whole("n", 1, 1, MOST_ANSWERS);
    int maxTokens = maxTokens(fields, chat);
    long seed =
        fields.whole(
            "seed", ThreadLocalRandom.current().nextLong(), Long.MIN_VALUE, Long.MAX_VALUE);
    List<String> stops = stops(fields);
    boolean logProbs = chat ? fields.flag("logprobs") : fields.get("logprobs").isPresent();
    int alternatives =
        (int) fields.whole(chat ? "top_logprobs" : "logprobs", 0, 0, MOST_ALTERNATIVES);
    if (alternatives > 0 && !logProbs) {
      throw ApiError.ofField(
          "top_logprobs", "\"top_logprobs\" needs \"logprobs\": true, which was not there");
    }
    Optional<JsonNode> messages = chat ? fields.get("messages") : fields.get("prompt");
    fields.refuseOthers();
    int[] prompt = chat ? chatPrompt(messages) : textPrompt(messages);
    return new Ask(
        prompt, answers, maxTokens, sampler, seed, stops, logProbs, alternatives, stream, usage);
  }

  private static JsonNode object(byte[] body) throws ApiError {
    JsonNode root;
    try {
      root = JSON.readTree(body);
    } catch (JacksonException e) {
      throw ApiError.of(ApiError.BAD_REQUEST, "the body must be JSON, but " + JsonFault.words(e));
    }
    if (!root.isObject()) {
      throw ApiError.of(
          ApiError.BAD_REQUEST,
          "the body must be a JSON object but was "
              + (root.isMissingNode() ? "empty" : Fields.shown(root)));
    }
    return root;
  }

  private void requireModel(Fields fields) throws ApiError {
    Optional<JsonNode> name = fields.get("model");
    if (name.isPresent() && !name.get().isString()) {
      throw Fields.wrong("model", "a string", name.get());
    }
    if (name.isPresent() && !name.get().asString().equals(model.name())) {
      throw ApiError.ofField(
          ApiError.NOT_FOUND,
          "model",
          "\"model\" must be \"%s\", the model that is served, but was %s"
              .formatted(model.name(), Fields.shown(name.get())),
          ApiError.NO_SUCH_MODEL);
    }
  }

  private static boolean streamedUsage(Fields fields, boolean stream) throws ApiError {
    Optional<JsonNode> options = fields.get("stream_options");
    if (options.isEmpty()) {
      return false;
    }
    if (!stream) {
      throw ApiError.ofField(
          "stream_options", "\"stream_options\" needs \"stream\": true, which was not there");
    }
    if (!options.get().isObject()) {
      throw Fields.wrong("stream_options", "an object", options.get());
    }
    Fields inside = new Fields(options.get());
    boolean usage = inside.flag("include_usage");
    inside.flag("include_obfuscation"); // it pads what a listener could measure
    inside.refuseOthers();
    return usage;
  }

  private static TokenSampler sampler(Fields fields) throws ApiError {
    double temperature = fields.number("temperature", 1, 0, LARGEST_TEMPERATURE, "a number from 0");
    double topP = fields.number("top_p", 1, Double.MIN_VALUE, 1, "a number above 0 and at most 1");
    long topK = fields.whole("top_k", TokenSampler.ALL, -1, Integer.MAX_VALUE);
    double minP = fields.number("min_p", 0, 0, 1, "a number from 0 to 1");
    double penalty =
        fields.number(
            "repetition_penalty",
            1,
            TokenSampler.LEAST_PENALTY,
            TokenSampler.LARGEST_PENALTY,
            "a number from 0.01 to 100");
    return new TokenSampler(temperature, topP, (int) Math.max(topK, 0), minP, penalty);
  }

  private static int maxTokens(Fields fields, boolean chat) throws ApiError {
    int standard = chat ? Integer.MAX_VALUE : COMPLETION_TOKENS;
    int tokens = (int) fields.whole("max_tokens", standard, 1, Integer.MAX_VALUE);
    return chat
        ? (int) fields.whole("max_completion_tokens", tokens, 1, Integer.MAX_VALUE)
        : tokens;
  }

  private static List<String> stops(Fields fields) throws ApiError {
    Optional<JsonNode> value = fields.get("stop");
    if (value.isEmpty()) {
      return List.of();
    }
    List<JsonNode> items =
        value.get().isArray() ? value.get().valueStream().toList() : List.of(value.get());
    List<String> stops = new ArrayList<>();
    for (JsonNode item : items) {
      if (!item.isString()
          || item.asString().isEmpty()
          || item.asString().length() > LONGEST_STOP
          || items.size() > MOST_STOPS) {
        throw Fields.wrong(
            "stop",
            "a string of 1 to %d characters or a list of at most %d of them"
                .formatted(LONGEST_STOP, MOST_STOPS),
            value.get());
      }
      stops.add(item.asString());
    }
    return stops;
  }

  private int[] chatPrompt(Optional<JsonNode> messages) throws ApiError {
    if (messages.isEmpty() || !messages.get().isArray() || messages.get().isEmpty()) {
      String rule = "\"messages\" must be a list of at least one message but was ";
      throw ApiError.ofField("messages", rule + messages.map(Fields::shown).orElse("missing"));
    }
    ChatRenderer template = model.tokenizer().template();
    if (template == null) {
      throw ApiError.of(
          ApiError.BAD_REQUEST,
          "a chat needs a chat template but the model has none; use " + Api.COMPLETIONS.path());
    }
    List<Message> turns = new ArrayList<>();
    for (JsonNode message : messages.get()) {
      turns.add(message("messages[%d]".formatted(turns.size()), message));
    }
    try {
      return model.tokenizer().text().encode(template.render(turns, true, Map.of()), false);
    } catch (DpoException e) {
      throw ApiError.ofField("messages", "\"messages\" cannot be rendered: " + e.getMessage());
    }
  }

  private static Message message(String place, JsonNode message) throws ApiError {
    if (!message.isObject()) {
      throw Fields.wrong(place, "an object with \"role\" and \"content\"", message);
    }
    Map<String, @Nullable Object> fields = new LinkedHashMap<>();
    for (Map.Entry<String, JsonNode> field : message.properties()) {
      String name = place + "." + field.getKey();
      JsonNode value = field.getValue();
      switch (field.getKey()) {
        case "role" -> {
          if (!value.isString() || !Message.ROLES.contains(value.asString())) {
            throw Fields.wrong(name, "one of " + String.join(", ", Message.ROLES), value);
          }
          fields.put("role", value.asString());
        }
        case "content" -> fields.put("content", content(name, value));
        case "name" -> {
          if (!value.isNull() && !value.isString()) {
            throw Fields.wrong(name, "a string", value);
          }
          if (value.isString()) {
            fields.put("name", value.asString());
          }
        }
        default -> {
          if (!value.isNull() && !(value.isContainer() && value.isEmpty())) {
            throw ApiError.ofField(name, "\"%s\" is not supported; leave it out".formatted(name));
          }
        }
      }
    }
    for (String required : List.of("role", "content")) {
      if (!fields.containsKey(required)) {
        throw ApiError.ofField(
            place + "." + required, "\"%s.%s\" is missing".formatted(place, required));
      }
    }
    return new Message(fields);
  }

  private static String content(String name, JsonNode value) throws ApiError {
    if (value.isString()) {
      return requireUnicode(name, value.asString());
    }
    if (!value.isArray()) {
      throw Fields.wrong(name, "a string or a list of text parts", value);
    }
    StringBuilder text = new StringBuilder();
    int number = 0;
    for (JsonNode part : value) {
      String place = "%s[%d]".formatted(name, number++);
      if (!part.isObject() || !part.path("type").isString()) {
        throw Fields.wrong(place, "an object with \"type\": \"text\"", part);
      }
      if (!part.get("type").asString().equals("text")) {
        throw ApiError.ofField(
            place + ".type",
            "\"%s.type\" must be \"text\", since models read text alone here, but was %s"
                .formatted(place, Fields.shown(part.get("type"))));
      }
      if (!part.path("text").isString()) {
        throw Fields.wrong(place + ".text", "a string", part.path("text"));
      }
      text.append(requireUnicode(place + ".text", part.get("text").asString()));
    }
    return text.toString();
  }

  /** The text, if a tokenizer can read it: JSON may escape half of a character. */
  private static String requireUnicode(String name, String text) throws ApiError {
    int at = JsonFault.loneSurrogate(text);
    if (at >= 0) {
      throw ApiError.ofField(
          name,
          "\"%s\" must be Unicode text but has half of a surrogate pair, \\u%04x, at character %d"
              .formatted(name, (int) text.charAt(at), at));
    }
    return text;
  }

  /** A text, a list with one text, or token ids. */
  private int[] textPrompt(Optional<JsonNode> prompt) throws ApiError {
    String rule = "a string or a list of token ids";
    if (prompt.isEmpty()) {
      throw ApiError.ofField("prompt", "\"prompt\" must be %s but was missing".formatted(rule));
    }
    JsonNode value = prompt.get();
    if (value.isArray() && value.size() == 1 && !value.get(0).isNumber()) {
      value = value.get(0);
    }
    if (value.isString()) {
      requireUnicode("prompt", value.asString());
      try {
        return model.tokenizer().text().encode(value.asString(), true);
      } catch (DpoException e) {
        throw ApiError.ofField("prompt", "\"prompt\" cannot be encoded: " + e.getMessage());
      }
    }
    if (!value.isArray() || !value.valueStream().allMatch(JsonNode::canConvertToInt)) {
      if (value.isArray() && !value.isEmpty() && value.valueStream().allMatch(JsonNode::isString)) {
        throw ApiError.ofField(
            "prompt",
            "\"prompt\" must be one text but was a list of %d; send a request for each"
                .formatted(value.size()));
      }
      throw Fields.wrong("prompt", rule, prompt.get());
    }
    return value.valueStream().mapToInt(JsonNode::asInt).toArray();
  }
}
