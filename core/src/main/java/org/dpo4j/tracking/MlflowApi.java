package org.dpo4j.tracking;

import java.net.ConnectException;
import java.net.URI;
import java.net.URLEncoder;
import java.net.UnknownHostException;
import java.net.http.HttpClient;
import java.net.http.HttpConnectTimeoutException;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.channels.UnresolvedAddressException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.dpo4j.data.BoundedJson;
import tools.jackson.core.JacksonException;
import tools.jackson.core.json.JsonReadFeature;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** Requests of MLflow's REST interface 2.0. Redirects are not followed: the token stays here. */
final class MlflowApi {

  /** What one request may log. */
  static final int MOST_METRICS = 1000;

  static final int MOST_PARAMETERS = 100;
  static final int LONGEST_PARAMETER = 6000;
  private static final int LONGEST_TAG = 5000; // what every store takes

  private static final String MISSING = "RESOURCE_DOES_NOT_EXIST";
  private static final String EXISTS = "RESOURCE_ALREADY_EXISTS";
  private static final int SHOWN = 300;

  /** Servers write NaN and Infinity as Python does. */
  private static final JsonMapper JSON =
      BoundedJson.LENIENT.rebuild().enable(JsonReadFeature.ALLOW_NON_NUMERIC_NUMBERS).build();

  private final MlflowServer server;
  private final Patience patience;
  private final HttpClient client;

  MlflowApi(MlflowServer server, Patience patience) {
    this.server = server;
    this.patience = patience;
    this.client =
        HttpClient.newBuilder()
            .version(HttpClient.Version.HTTP_1_1)
            .followRedirects(HttpClient.Redirect.NEVER)
            .connectTimeout(patience.connect())
            .proxy(server.proxies())
            .build();
  }

  /**
   * A value of a metric.
   *
   * @param milliseconds since 1970
   */
  record Metric(String name, double value, long milliseconds, long step) {}

  /**
   * What a run has on the server.
   *
   * @param experiment id of its experiment
   * @param active whether it is not deleted
   * @param steps the last step of each metric
   * @param parameters their names
   */
  record Known(
      String experiment, boolean active, Map<String, Long> steps, Set<String> parameters) {}

  /** The id of the experiment of that name, which is made if there is none. */
  String experiment(String name) throws TrackingFailure, InterruptedException {
    Optional<String> id = existing(name);
    if (id.isEmpty()) {
      id = create(name);
    }
    if (id.isEmpty()) { // made by another run meanwhile
      id = existing(name);
    }
    return id.orElseThrow(
        () ->
            TrackingFailure.lasting(
                "%s neither has nor makes the experiment %s".formatted(server, name), null));
  }

  private Optional<String> existing(String name) throws TrackingFailure, InterruptedException {
    try {
      JsonNode answer =
          get(
              "experiments/get-by-name?experiment_name="
                  + URLEncoder.encode(name, StandardCharsets.UTF_8));
      return Optional.of(text(answer.path("experiment").path("experiment_id")));
    } catch (TrackingFailure e) {
      if (e.code().equals(MISSING)) {
        return Optional.empty();
      }
      throw e;
    }
  }

  /** Empty if another run has made it meanwhile. */
  private Optional<String> create(String name) throws TrackingFailure, InterruptedException {
    try {
      return Optional.of(
          text(post("experiments/create", Map.of("name", name)).path("experiment_id")));
    } catch (TrackingFailure e) {
      if (e.code().equals(EXISTS)) {
        return Optional.empty();
      }
      throw e;
    }
  }

  /** Starts a run and returns its id. */
  String createRun(String experiment, String name, long milliseconds, Map<String, String> tags)
      throws TrackingFailure, InterruptedException {
    Map<String, Object> body = new LinkedHashMap<>();
    body.put("experiment_id", experiment);
    body.put("run_name", name);
    body.put("start_time", milliseconds);
    body.put("tags", pairs(tags, LONGEST_TAG));
    return text(post("runs/create", body).path("run").path("info").path("run_id"));
  }

  /** What the server has of a run; empty if it has no such run. */
  Optional<Known> run(String id) throws TrackingFailure, InterruptedException {
    JsonNode run;
    try {
      run = get("runs/get?run_id=" + URLEncoder.encode(id, StandardCharsets.UTF_8)).path("run");
    } catch (TrackingFailure e) {
      if (e.code().equals(MISSING)) {
        return Optional.empty();
      }
      throw e;
    }
    Map<String, Long> steps = new HashMap<>();
    for (JsonNode metric : run.path("data").path("metrics")) {
      steps.merge(metric.path("key").asString(""), step(metric.path("step")), Math::max);
    }
    Set<String> parameters = new HashSet<>();
    run.path("data")
        .path("params")
        .forEach(param -> parameters.add(param.path("key").asString("")));
    JsonNode info = run.path("info");
    return Optional.of(
        new Known(
            text(info.path("experiment_id")),
            !info.path("lifecycle_stage").asString("").equals("deleted"),
            steps,
            parameters));
  }

  /** Some servers write 64-bit numbers as texts, as protobuf's JSON does. */
  private static long step(JsonNode step) {
    try {
      return step.isString() ? Long.parseLong(step.stringValue()) : step.asLong(0);
    } catch (NumberFormatException e) {
      return 0;
    }
  }

  /** Sets the status of a run; the time of its end only if it is over. */
  void update(String id, String status, Optional<Long> ended)
      throws TrackingFailure, InterruptedException {
    Map<String, Object> body = new LinkedHashMap<>();
    body.put("run_id", id);
    body.put("status", status);
    ended.ifPresent(milliseconds -> body.put("end_time", milliseconds));
    post("runs/update", body);
  }

  /**
   * Adds values of metrics to a run.
   *
   * @param metrics at most {@value #MOST_METRICS}
   */
  void logMetrics(String id, List<Metric> metrics) throws TrackingFailure, InterruptedException {
    List<Map<String, Object>> rows = new ArrayList<>();
    for (Metric metric : metrics) {
      rows.add(
          Map.of(
              "key", metric.name(),
              "value", number(metric.value()),
              "timestamp", metric.milliseconds(),
              "step", metric.step()));
    }
    post("runs/log-batch", Map.of("run_id", id, "metrics", rows));
  }

  /** A number that is not finite is a text, as in protobuf's JSON. */
  private static Object number(double value) {
    return Double.isFinite(value) ? (Object) value : Double.toString(value);
  }

  /**
   * Adds parameters to a run.
   *
   * @param parameters at most {@value #MOST_PARAMETERS}; longer values are cut
   */
  void logParameters(String id, Map<String, String> parameters)
      throws TrackingFailure, InterruptedException {
    post("runs/log-batch", Map.of("run_id", id, "params", pairs(parameters, LONGEST_PARAMETER)));
  }

  private static List<Map<String, String>> pairs(Map<String, String> texts, int longest) {
    List<Map<String, String>> pairs = new ArrayList<>();
    texts.forEach((key, value) -> pairs.add(Map.of("key", key, "value", cut(value, longest))));
    return pairs;
  }

  private static String cut(String text, int longest) {
    if (text.length() <= longest) {
      return text;
    }
    int end = longest - 3;
    return text.substring(0, Character.isHighSurrogate(text.charAt(end - 1)) ? end - 1 : end)
        + "...";
  }

  private JsonNode get(String path) throws TrackingFailure, InterruptedException {
    return send(request(path).GET().build());
  }

  private JsonNode post(String path, Map<String, ?> body)
      throws TrackingFailure, InterruptedException {
    return send(
        request(path)
            .header("Content-Type", "application/json")
            .POST(HttpRequest.BodyPublishers.ofByteArray(JSON.writeValueAsBytes(body)))
            .build());
  }

  private HttpRequest.Builder request(String path) {
    HttpRequest.Builder request =
        HttpRequest.newBuilder(server.at(path)).header("User-Agent", "dpo4j");
    server.authorization().ifPresent(value -> request.header("Authorization", value));
    return request;
  }

  /** The time limit of a request ends at the headers on older JDKs, so the wait has one here. */
  private JsonNode send(HttpRequest request) throws TrackingFailure, InterruptedException {
    CompletableFuture<HttpResponse<byte[]>> answer =
        client.sendAsync(request, info -> new BoundedAnswer());
    try {
      HttpResponse<byte[]> response =
          answer.get(patience.answer().toMillis(), TimeUnit.MILLISECONDS);
      return read(response);
    } catch (TimeoutException e) {
      answer.cancel(true);
      throw TrackingFailure.passing(
          "%s did not answer within %d s".formatted(server, patience.answer().toSeconds()), e);
    } catch (InterruptedException e) {
      answer.cancel(true);
      throw e;
    } catch (ExecutionException e) {
      Throwable cause = e.getCause() == null ? e : e.getCause();
      throw TrackingFailure.passing(
          "%s cannot be reached (%s)".formatted(server, server.withoutSecrets(reason(cause))),
          cause);
    }
  }

  /** Exceptions of the client mostly have no message. */
  private static String reason(Throwable failure) {
    for (Throwable cause = failure; cause != null; cause = cause.getCause()) {
      if (cause instanceof UnresolvedAddressException || cause instanceof UnknownHostException) {
        return "its name is not known to the network";
      }
      if (cause instanceof HttpConnectTimeoutException) {
        return "it gave no connection in time";
      }
      if (cause instanceof ConnectException) {
        return "it refuses the connection, or no way leads there";
      }
    }
    return failure.getMessage() == null ? failure.getClass().getSimpleName() : failure.getMessage();
  }

  private JsonNode read(HttpResponse<byte[]> response) throws TrackingFailure {
    int status = response.statusCode();
    JsonNode body;
    try {
      body = JSON.readTree(response.body());
    } catch (JacksonException e) {
      body = JSON.missingNode();
    }
    if (status == 200 && body.isObject()) {
      return body;
    }
    if (status == 200) {
      throw TrackingFailure.lasting(
          "%s is no MLflow tracking server: its answer is no JSON object".formatted(server), null);
    }
    String code = body.path("error_code").asString("");
    boolean passing = status >= 500 || status == 429 || status == 408;
    throw TrackingFailure.refused(refusal(response, status, body), code, passing);
  }

  private String refusal(HttpResponse<byte[]> response, int status, JsonNode body) {
    if (status == 401 || status == 403) {
      return server.authorization().isPresent()
          ? "%s refuses the token or the password (status %d)".formatted(server, status)
          : "%s wants to know who asks (status %d); set MLFLOW_TRACKING_TOKEN, or MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD"
              .formatted(server, status);
    }
    if (status >= 300 && status < 400) {
      return "%s sends to %s (status %d); set %s to that address"
          .formatted(
              server,
              response.headers().firstValue("Location").map(MlflowApi::host).orElse("nowhere"),
              status,
              MlflowServer.ADDRESS);
    }
    String message = server.withoutSecrets(body.path("message").asString(""));
    return "%s answers with status %d%s"
        .formatted(server, status, message.isEmpty() ? "" : ": " + cut(message, SHOWN));
  }

  /** An address without its query, which may hold what signs it. */
  private static String host(String location) {
    try {
      URI uri = URI.create(location);
      return uri.getHost() == null ? "another path" : uri.getScheme() + "://" + uri.getHost();
    } catch (IllegalArgumentException e) {
      return "another address";
    }
  }

  /** A text that an answer must have. */
  private String text(JsonNode node) throws TrackingFailure {
    if (node.isString() && !node.stringValue().isEmpty()) {
      return node.stringValue();
    }
    throw TrackingFailure.lasting(
        "%s is no MLflow tracking server: its answer lacks an id".formatted(server), null);
  }
}
