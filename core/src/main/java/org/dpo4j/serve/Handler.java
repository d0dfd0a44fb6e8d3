package org.dpo4j.serve;

import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpHandler;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.UUID;
import java.util.function.Consumer;
import org.dpo4j.DpoException;
import org.dpo4j.generate.Generator;
import org.dpo4j.generate.ModelThread;
import org.dpo4j.options.Limit;
import org.dpo4j.serve.AnswerEvents.Event;
import org.dpo4j.torch.MemoryFailure;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.json.JsonMapper;

/** Answers one request after the other of a connection, on its thread. */
final class Handler implements HttpHandler {

  private static final JsonMapper JSON = JsonMapper.shared();

  private static final String MODELS = "/v1/models";
  private static final String JSON_TYPE = "application/json";
  private static final int OK = 200;

  /** Counted where the client has left, as nginx does. */
  private static final int GONE = 499;

  /** How long nothing is sent before a sign of life, which shows whether the client is there. */
  private static final Duration SILENCE = Duration.ofSeconds(1);

  /** Silences after which an answer that is not streamed begins, with blanks. */
  private static final int PATIENT_SILENCES = 2;

  private static final String RETRY_SECONDS = "2";

  private final Server.Model model;
  private final ModelThread thread;
  private final Gate gate;
  private final Consumer<String> faults;
  private final RequestReader reader;
  private final Metrics metrics = new Metrics();
  private final long started = System.currentTimeMillis() / 1000;

  Handler(Server.Model model, ModelThread thread, Gate gate, Consumer<String> faults) {
    this.model = model;
    this.thread = thread;
    this.gate = gate;
    this.faults = faults;
    this.reader = new RequestReader(model);
  }

  @Override
  public void handle(HttpExchange exchange) throws IOException {
    String path = exchange.getRequestURI().getPath();
    int status = OK;
    try {
      try {
        answer(exchange, path == null ? "" : path);
      } catch (ApiError e) {
        status = e.status();
        refuse(exchange, e);
      } catch (RuntimeException | Error e) {
        status = ApiError.FAILED;
        refuse(exchange, failure(e));
      }
    } catch (IOException e) {
      status = GONE;
      throw e; // which closes the connection
    } finally {
      metrics.request(counted(path), status);
    }
    exchange.close();
  }

  /** The name under which requests of a path are counted; of few, whatever clients send. */
  private static String counted(@Nullable String path) {
    if (path == null) {
      return "other";
    }
    String resource = path.startsWith(MODELS + "/") ? MODELS : path;
    return List.of(Api.CHAT.path(), Api.COMPLETIONS.path(), MODELS, "/health", "/metrics")
            .contains(resource)
        ? resource
        : "other";
  }

  private void answer(HttpExchange exchange, String path) throws ApiError, IOException {
    gate.checkOrigin(exchange.getRequestHeaders());
    if (path.equals("/health")) {
      require(exchange, "GET");
      if (thread.isClosed()) {
        throw stopping();
      }
      send(exchange, OK, Map.of("status", "ok"));
      return;
    }
    gate.checkKey(exchange.getRequestHeaders());
    if (path.equals(MODELS)) {
      require(exchange, "GET");
      Map<String, Object> list = new LinkedHashMap<>();
      list.put("object", "list");
      list.put("data", List.of(description()));
      send(exchange, OK, list);
    } else if (path.startsWith(MODELS + "/")) {
      require(exchange, "GET");
      requireModel(path.substring(MODELS.length() + 1));
      send(exchange, OK, description());
    } else if (path.equals("/metrics")) {
      require(exchange, "GET");
      send(exchange, OK, "text/plain; version=0.0.4", metrics.text(thread.load()));
    } else if (path.equals(Api.CHAT.path())) {
      generate(exchange, Api.CHAT);
    } else if (path.equals(Api.COMPLETIONS.path())) {
      generate(exchange, Api.COMPLETIONS);
    } else {
      throw ApiError.of(
          ApiError.NOT_FOUND,
          "there is no %s here; there are POST %s, POST %s, GET /v1/models, GET /v1/models/NAME, GET /health and GET /metrics"
              .formatted(path, Api.CHAT.path(), Api.COMPLETIONS.path()));
    }
  }

  private void requireModel(String name) throws ApiError {
    if (!name.equals(model.name())) {
      throw ApiError.of(
          ApiError.NOT_FOUND,
          "there is no model \"%s\" here; \"%s\" is served".formatted(name, model.name()),
          ApiError.NO_SUCH_MODEL);
    }
  }

  private Map<String, Object> description() {
    Map<String, Object> description = new LinkedHashMap<>();
    description.put("id", model.name());
    description.put("object", "model");
    description.put("created", started);
    description.put("owned_by", "dpo4j");
    description.put("max_model_len", thread.positions()); // vLLM's name
    return description;
  }

  private static void require(HttpExchange exchange, String method) throws ApiError {
    String found = exchange.getRequestMethod();
    boolean head = method.equals("GET") && found.equals("HEAD"); // GET without the body
    if (!found.equals(method) && !head) {
      exchange.getResponseHeaders().set("Allow", method);
      throw ApiError.of(
          ApiError.METHOD_NOT_ALLOWED,
          "%s must be asked with %s but was with %s"
              .formatted(exchange.getRequestURI().getPath(), method, found));
    }
  }

  private static byte[] body(HttpExchange exchange) throws ApiError, IOException {
    require(exchange, "POST");
    String type = exchange.getRequestHeaders().getFirst("Content-Type");
    if (type == null || !type.toLowerCase(Locale.ROOT).split(";")[0].strip().equals(JSON_TYPE)) {
      throw ApiError.of(
          ApiError.UNSUPPORTED_TYPE,
          "the header Content-Type must be %s but was %s"
              .formatted(JSON_TYPE, type == null ? "missing" : "\"" + type + "\""));
    }
    int limit = Limit.REQUEST_BYTES.length();
    byte[] body = exchange.getRequestBody().readNBytes(limit + 1);
    if (body.length > limit) {
      // The rest is not read.
      exchange.getResponseHeaders().set("Connection", "close");
      throw ApiError.of(
          ApiError.TOO_LARGE, "the body must have at most %d bytes but has more".formatted(limit));
    }
    return body;
  }

  private void generate(HttpExchange exchange, Api api) throws ApiError, IOException {
    long begin = System.nanoTime();
    Ask ask = reader.read(api, body(exchange));
    AnswerEvents events = new AnswerEvents(api, ask, model.tokenizer().text());
    submit(api, ask, events);
    String id = UUID.randomUUID().toString().replace("-", "");
    AnswerJson json = new AnswerJson(api, id, System.currentTimeMillis() / 1000, model.name(), ask);
    try {
      if (ask.stream()) {
        stream(exchange, api, ask, events, json, begin);
      } else {
        whole(exchange, events, json, begin);
      }
      metrics.answered(seconds(begin));
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IOException("the server was stopped", e); // which closes the connection
    } finally {
      events.cancel(); // also when the client is gone
    }
  }

  private void submit(Api api, Ask ask, AnswerEvents events) throws ApiError {
    ModelThread.Answer answer;
    try {
      answer =
          thread.submit(
              new Generator.Request(
                  ask.prompt(),
                  0,
                  ask.answers(),
                  ask.maxTokens(),
                  ask.sampler(),
                  ask.seed(),
                  ask.alternatives(),
                  events),
              events);
    } catch (DpoException e) {
      String field = api == Api.CHAT ? "messages" : "prompt";
      String message = "\"%s\": %s".formatted(field, e.getMessage());
      throw ask.prompt().length < thread.positions()
          ? ApiError.ofField(field, message)
          : ApiError.ofField(ApiError.BAD_REQUEST, field, message, "context_length_exceeded");
    }
    switch (answer) {
      case FULL ->
          throw ApiError.of(
              ApiError.TOO_MANY,
              "the queue is full, with %d waiting; try again later"
                  .formatted(thread.load().waiting()),
              "queue_full");
      case CLOSED -> throw stopping();
      case TAKEN -> {
        // Its events will come.
      }
    }
  }

  /** One object. If it takes long, blanks go before it, which JSON allows. */
  private void whole(HttpExchange exchange, AnswerEvents events, AnswerJson json, long begin)
      throws ApiError, IOException, InterruptedException {
    int silences = 0;
    boolean first = true;
    long silent = System.nanoTime();
    while (!json.isComplete()) {
      Event event = events.next(SILENCE);
      if (event != null) {
        requireNoFailure(event, silences >= PATIENT_SILENCES);
        if (first) {
          metrics.firstToken(seconds(begin));
          first = false;
        }
        json.add(event);
      }
      if (seconds(silent) >= SILENCE.toSeconds()) {
        silent = System.nanoTime();
        silences++;
        if (silences == PATIENT_SILENCES) {
          begin(exchange, JSON_TYPE);
        }
        if (silences >= PATIENT_SILENCES) {
          write(exchange, " ");
        }
      }
    }
    String text = JSON.writeValueAsString(json.whole(events.tokens()));
    if (silences >= PATIENT_SILENCES) {
      write(exchange, text);
    } else {
      send(exchange, OK, JSON_TYPE, text);
    }
  }

  private void stream(
      HttpExchange exchange, Api api, Ask ask, AnswerEvents events, AnswerJson json, long begin)
      throws IOException, InterruptedException {
    exchange.getResponseHeaders().set("Cache-Control", "no-cache");
    begin(exchange, "text/event-stream");
    if (api == Api.CHAT) {
      for (int i = 0; i < ask.answers(); i++) {
        event(exchange, json.first(i));
      }
    }
    boolean first = true;
    while (!json.isComplete()) {
      Event event = events.next(SILENCE);
      if (event == null) {
        write(exchange, ":\n\n"); // a comment
        continue;
      }
      if (event.failure() != null) {
        event(exchange, failure(event.failure()).body());
        return;
      }
      if (first) {
        metrics.firstToken(seconds(begin));
        first = false;
      }
      for (Map<String, @Nullable Object> piece : json.pieces(event)) {
        event(exchange, piece);
      }
    }
    if (ask.streamedUsage()) {
      event(exchange, json.lastWithUsage(events.tokens()));
    }
    write(exchange, "data: [DONE]\n\n");
  }

  private void requireNoFailure(Event event, boolean begun) throws ApiError, IOException {
    if (event.failure() != null) {
      ApiError error = failure(event.failure());
      if (begun) {
        // The status was sent. An answer that is cut off is noticed by every client.
        throw new IOException(error.getMessage());
      }
      throw error;
    }
  }

  private static double seconds(long since) {
    return (System.nanoTime() - since) / 1e9;
  }

  private static void event(HttpExchange exchange, Object data) throws IOException {
    write(exchange, "data: " + JSON.writeValueAsString(data) + "\n\n");
  }

  private static void begin(HttpExchange exchange, String type) throws IOException {
    exchange.getResponseHeaders().set("Content-Type", type);
    exchange.sendResponseHeaders(OK, 0); // in chunks
  }

  private static void write(HttpExchange exchange, String text) throws IOException {
    OutputStream out = exchange.getResponseBody();
    out.write(text.getBytes(StandardCharsets.UTF_8));
    out.flush();
  }

  private static ApiError stopping() {
    return ApiError.of(ApiError.UNAVAILABLE, "the server is being stopped");
  }

  private ApiError failure(Throwable failure) {
    if (thread.isClosed()) {
      return stopping();
    }
    String reason =
        MemoryFailure.of(failure)
            .or(() -> failure instanceof DpoException known ? Optional.of(known) : Optional.empty())
            .map(known -> String.valueOf(known.getMessage()))
            .orElse("internal error: " + failure);
    faults.accept("a request failed: " + reason);
    return ApiError.of(ApiError.FAILED, "the server failed: " + reason);
  }

  private static void refuse(HttpExchange exchange, ApiError error) throws IOException {
    if (exchange.getResponseCode() != -1) {
      throw new IOException(error.getMessage()); // the answer had begun
    }
    if (error.status() == ApiError.UNAUTHORIZED) {
      exchange.getResponseHeaders().set("WWW-Authenticate", "Bearer");
    }
    if (error.status() == ApiError.TOO_MANY || error.status() == ApiError.UNAVAILABLE) {
      exchange.getResponseHeaders().set("Retry-After", RETRY_SECONDS);
    }
    send(exchange, error.status(), error.body());
  }

  private static void send(HttpExchange exchange, int status, Object body) throws IOException {
    send(exchange, status, JSON_TYPE, JSON.writeValueAsString(body));
  }

  private static void send(HttpExchange exchange, int status, String type, String text)
      throws IOException {
    byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
    exchange.getResponseHeaders().set("Content-Type", type);
    if (exchange.getRequestMethod().equals("HEAD")) {
      exchange.sendResponseHeaders(status, -1);
      return;
    }
    exchange.sendResponseHeaders(status, bytes.length);
    exchange.getResponseBody().write(bytes);
  }
}
