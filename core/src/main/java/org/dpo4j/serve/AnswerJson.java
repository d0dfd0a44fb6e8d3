package org.dpo4j.serve;

import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;
import org.dpo4j.serve.AnswerEvents.Event;
import org.dpo4j.serve.AnswerEvents.Shown;
import org.jspecify.annotations.Nullable;

/** Answers in the form of OpenAI's API. */
final class AnswerJson {

  /** JSON has no infinity; OpenAI and vLLM write this. */
  private static final double LEAST_LOG_PROB = -9999;

  private static final char REPLACEMENT = '\uFFFD';

  /** An answer that is put together. */
  private static final class Whole {
    private final StringBuilder text = new StringBuilder();
    private final List<Shown> tokens = new ArrayList<>();
    private @Nullable String finish;
  }

  private final Api api;
  private final String id;
  private final long created;
  private final String model;
  private final Ask ask;
  private final List<Whole> answers = new ArrayList<>();

  /**
   * @param id of the answer, without its prefix
   * @param created in seconds
   */
  AnswerJson(Api api, String id, long created, String model, Ask ask) {
    this.api = api;
    this.id = api.idPrefix() + id;
    this.created = created;
    this.model = model;
    this.ask = ask;
    IntStream.range(0, ask.answers()).forEach(i -> answers.add(new Whole()));
  }

  /** Takes an event without a failure into account. */
  void add(Event event) {
    Whole answer = answers.get(event.answer());
    answer.text.append(event.text());
    answer.tokens.addAll(event.tokens());
    answer.finish = event.finish();
  }

  /** Whether all answers have ended. */
  boolean isComplete() {
    return answers.stream().allMatch(answer -> answer.finish != null);
  }

  /** All answers as one object. */
  Map<String, @Nullable Object> whole(int tokens) {
    List<Object> choices = new ArrayList<>();
    for (int i = 0; i < answers.size(); i++) {
      Whole answer = answers.get(i);
      Map<String, @Nullable Object> choice = new LinkedHashMap<>();
      choice.put("index", i);
      if (api == Api.CHAT) {
        Map<String, @Nullable Object> message = new LinkedHashMap<>();
        message.put("role", "assistant");
        message.put("content", answer.text.toString());
        message.put("refusal", null);
        choice.put("message", message);
      } else {
        choice.put("text", answer.text.toString());
      }
      choice.put("logprobs", ask.logProbs() ? logProbs(answer.tokens, 0) : null);
      choice.put("finish_reason", answer.finish);
      choices.add(choice);
    }
    Map<String, @Nullable Object> whole = frame(api.whole(), choices);
    whole.put("usage", usage(tokens));
    return whole;
  }

  /** The first piece of a streamed chat answer: who speaks. */
  Map<String, @Nullable Object> first(int answer) {
    Map<String, @Nullable Object> delta = new LinkedHashMap<>();
    delta.put("role", "assistant");
    delta.put("content", "");
    return chunk(answer, delta, "", List.of(), null);
  }

  /** An event as pieces of a streamed answer; takes it into account. */
  List<Map<String, @Nullable Object>> pieces(Event event) {
    List<Map<String, @Nullable Object>> pieces = new ArrayList<>();
    if (!event.text().isEmpty() || !event.tokens().isEmpty()) {
      pieces.add(
          chunk(
              event.answer(),
              new LinkedHashMap<>(Map.of("content", event.text())),
              event.text(),
              event.tokens(),
              null));
    }
    if (event.finish() != null) {
      pieces.add(chunk(event.answer(), new LinkedHashMap<>(), "", List.of(), event.finish()));
    }
    add(event);
    return pieces;
  }

  /** The last piece of a streamed answer that counts tokens. */
  Map<String, @Nullable Object> lastWithUsage(int tokens) {
    Map<String, @Nullable Object> last = frame(api.chunk(), List.of());
    last.put("usage", usage(tokens));
    return last;
  }

  private Map<String, @Nullable Object> chunk(
      int answer,
      Map<String, @Nullable Object> delta,
      String text,
      List<Shown> tokens,
      @Nullable String finish) {
    Map<String, @Nullable Object> choice = new LinkedHashMap<>();
    choice.put("index", answer);
    if (api == Api.CHAT) {
      choice.put("delta", delta);
    } else {
      choice.put("text", text);
    }
    choice.put(
        "logprobs", tokens.isEmpty() ? null : logProbs(tokens, answers.get(answer).text.length()));
    choice.put("finish_reason", finish);
    Map<String, @Nullable Object> chunk = frame(api.chunk(), List.of(choice));
    if (ask.streamedUsage()) {
      chunk.put("usage", null);
    }
    return chunk;
  }

  private Map<String, @Nullable Object> frame(String type, List<?> choices) {
    Map<String, @Nullable Object> frame = new LinkedHashMap<>();
    frame.put("id", id);
    frame.put("object", type);
    frame.put("created", created);
    frame.put("model", model);
    frame.put("choices", choices);
    return frame;
  }

  private Map<String, Object> usage(int tokens) {
    Map<String, Object> usage = new LinkedHashMap<>();
    usage.put("prompt_tokens", ask.prompt().length);
    usage.put("completion_tokens", tokens);
    usage.put("total_tokens", ask.prompt().length + tokens);
    return usage;
  }

  /**
   * Log-probabilities in the form of the API.
   *
   * @param offset of the first token in the text
   */
  private Map<String, @Nullable Object> logProbs(List<Shown> tokens, int offset) {
    Map<String, @Nullable Object> result = new LinkedHashMap<>();
    if (api == Api.CHAT) {
      result.put("content", tokens.stream().map(AnswerJson::detailed).toList());
      result.put("refusal", null);
      return result;
    }
    List<Integer> offsets = new ArrayList<>();
    int place = offset;
    for (Shown token : tokens) {
      offsets.add(place);
      place += token.text().length();
    }
    result.put("tokens", tokens.stream().map(Shown::text).toList());
    result.put("token_logprobs", tokens.stream().map(AnswerJson::number).toList());
    result.put(
        "top_logprobs",
        ask.alternatives() == 0 ? null : tokens.stream().map(AnswerJson::top).toList());
    result.put("text_offset", offsets);
    return result;
  }

  private static Map<String, Object> top(Shown token) {
    Map<String, Object> top = new LinkedHashMap<>();
    token.alternatives().forEach(other -> top.putIfAbsent(other.text(), number(other)));
    return top;
  }

  private static Map<String, @Nullable Object> detailed(Shown token) {
    Map<String, @Nullable Object> detailed = brief(token);
    detailed.put("top_logprobs", token.alternatives().stream().map(AnswerJson::brief).toList());
    return detailed;
  }

  private static Map<String, @Nullable Object> brief(Shown token) {
    Map<String, @Nullable Object> brief = new LinkedHashMap<>();
    brief.put("token", token.text());
    brief.put("logprob", number(token));
    brief.put("bytes", bytes(token.text()));
    return brief;
  }

  /** The bytes of a token; null if it is a part of a character. */
  private static @Nullable List<Integer> bytes(String text) {
    if (text.indexOf(REPLACEMENT) >= 0) {
      return null;
    }
    byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
    return IntStream.range(0, bytes.length).mapToObj(i -> bytes[i] & 0xff).toList();
  }

  private static double number(Shown token) {
    return Math.max(token.logProb(), LEAST_LOG_PROB);
  }
}
