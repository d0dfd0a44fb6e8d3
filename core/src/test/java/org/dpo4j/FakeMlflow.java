package org.dpo4j;

import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.URLDecoder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/**
 * Imitates the REST interface of an MLflow tracking server on this machine, with its limits and its
 * rules: a parameter cannot be changed, and a deleted run takes nothing. A fault stands in for an
 * answer.
 */
public final class FakeMlflow implements AutoCloseable {

  static {
    // Without it each answer waits 40 ms for the acknowledgement of its first packet.
    System.setProperty("sun.net.httpserver.nodelay", "true");
  }

  /** An answer in place of the right one; false for the right one. */
  @FunctionalInterface
  public interface Fault {
    boolean answers(HttpExchange exchange, String path) throws IOException;
  }

  /** A request as it arrived. */
  public record Request(String path, String authorization, JsonNode body) {}

  /** A value of a metric. */
  public record Point(String name, long step, double value) {}

  /** A run. */
  public static final class Run {
    public String experiment = "";
    public String status = "RUNNING";
    public boolean ended;
    public boolean deleted;
    public final Map<String, String> params = new LinkedHashMap<>();
    public final Map<String, String> tags = new LinkedHashMap<>();
    public final List<Point> points = new CopyOnWriteArrayList<>();
  }

  private static final class Refused extends Exception {
    private static final long serialVersionUID = 1L;
    private final int status;
    private final String code;

    Refused(int status, String code, String message) {
      super(message);
      this.status = status;
      this.code = code;
    }
  }

  public final List<Request> requests = new CopyOnWriteArrayList<>();
  public final Map<String, Run> runs = new LinkedHashMap<>();
  public final Map<String, String> experiments = new LinkedHashMap<>(Map.of("Default", "0"));
  public volatile Fault fault = (exchange, path) -> false;
  public volatile String token = "";
  private final HttpServer server;
  private final ExecutorService threads = Executors.newCachedThreadPool();

  public FakeMlflow() throws IOException {
    server = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
    server.setExecutor(threads);
    server.createContext("/api/2.0/mlflow/", this::handle);
    server.start();
  }

  /** The address as {@code MLFLOW_TRACKING_URI} has it. */
  public String address() {
    return "http://127.0.0.1:" + server.getAddress().getPort();
  }

  /** The only run. */
  public synchronized Run run() {
    if (runs.size() != 1) {
      throw new AssertionError("runs: " + runs.keySet());
    }
    return runs.values().iterator().next();
  }

  /** The paths of the requests, each after the one before. */
  public List<String> paths() {
    return requests.stream().map(Request::path).toList();
  }

  /** An answer of a server. */
  public static void answer(HttpExchange exchange, int status, String body) throws IOException {
    byte[] bytes = body.getBytes(StandardCharsets.UTF_8);
    exchange.sendResponseHeaders(status, bytes.length);
    exchange.getResponseBody().write(bytes);
  }

  private void handle(HttpExchange exchange) throws IOException {
    try (exchange) {
      String path = exchange.getRequestURI().getPath().replaceFirst("/api/2\\.0/mlflow/", "");
      byte[] bytes = exchange.getRequestBody().readAllBytes();
      if (bytes.length > 1_000_000) {
        throw new IOException("a request has at most 1 MB");
      }
      JsonNode body =
          bytes.length == 0
              ? JsonMapper.shared().createObjectNode()
              : JsonMapper.shared().readTree(bytes);
      String authorization =
          Objects.requireNonNullElse(exchange.getRequestHeaders().getFirst("Authorization"), "");
      requests.add(new Request(path, authorization, body));
      if (fault.answers(exchange, path)) {
        return;
      }
      if (!authorization.equals(token)) {
        answer(exchange, 401, "You are not authenticated");
        return;
      }
      try {
        answer(
            exchange,
            200,
            JsonMapper.shared()
                .writeValueAsString(result(path, exchange.getRequestURI().getRawQuery(), body)));
      } catch (Refused e) {
        answer(
            exchange,
            e.status,
            JsonMapper.shared()
                .writeValueAsString(Map.of("error_code", e.code, "message", e.getMessage())));
      }
    }
  }

  private synchronized Map<String, ?> result(String path, String query, JsonNode body)
      throws Refused {
    return switch (path) {
      case "experiments/get-by-name" -> {
        String name = parameter(query);
        if (!experiments.containsKey(name)) {
          throw new Refused(404, "RESOURCE_DOES_NOT_EXIST", "no experiment " + name);
        }
        yield Map.of("experiment", Map.of("experiment_id", experiments.get(name)));
      }
      case "experiments/create" -> {
        String id = Integer.toString(experiments.size());
        experiments.put(body.get("name").asString(), id);
        yield Map.of("experiment_id", id);
      }
      case "runs/create" -> {
        Run run = new Run();
        run.experiment = body.get("experiment_id").asString();
        run.tags.put("mlflow.runName", body.get("run_name").asString());
        body.get("tags")
            .forEach(tag -> run.tags.put(tag.get("key").asString(), tag.get("value").asString()));
        String id = "run" + runs.size();
        runs.put(id, run);
        yield Map.of("run", Map.of("info", Map.of("run_id", id)));
      }
      case "runs/get" -> got(parameter(query));
      case "runs/update" -> {
        Run run = active(body.get("run_id").asString());
        run.status = body.get("status").asString();
        run.ended = body.has("end_time");
        yield Map.of("run_info", Map.of());
      }
      case "runs/log-batch" -> {
        log(active(body.get("run_id").asString()), body);
        yield Map.of();
      }
      default -> throw new Refused(404, "ENDPOINT_NOT_FOUND", path);
    };
  }

  private static String parameter(String query) {
    return URLDecoder.decode(query.replaceFirst(".*=", ""), StandardCharsets.UTF_8);
  }

  private Run active(String id) throws Refused {
    Run run = runs.get(id);
    if (run == null) {
      throw new Refused(404, "RESOURCE_DOES_NOT_EXIST", "no run " + id);
    }
    if (run.deleted) {
      throw new Refused(400, "INVALID_PARAMETER_VALUE", "must be in the 'active' state");
    }
    return run;
  }

  private Map<String, ?> got(String id) throws Refused {
    Run run = runs.get(id);
    if (run == null) {
      throw new Refused(404, "RESOURCE_DOES_NOT_EXIST", "no run " + id);
    }
    Map<String, Point> last = new LinkedHashMap<>();
    run.points.forEach(
        point ->
            last.merge(point.name(), point, (one, two) -> two.step() >= one.step() ? two : one));
    List<Map<String, ?>> metrics = new ArrayList<>();
    last.values()
        .forEach(
            point ->
                metrics.add(
                    Map.of("key", point.name(), "value", point.value(), "step", point.step())));
    List<Map<String, ?>> params = new ArrayList<>();
    run.params.forEach((key, value) -> params.add(Map.of("key", key, "value", value)));
    return Map.of(
        "run",
        Map.of(
            "info",
            Map.of(
                "run_id",
                id,
                "experiment_id",
                run.experiment,
                "lifecycle_stage",
                run.deleted ? "deleted" : "active"),
            "data",
            Map.of("metrics", metrics, "params", params)));
  }

  private static void log(Run run, JsonNode body) throws Refused {
    if (body.path("metrics").size() > 1000 || body.path("params").size() > 100) {
      throw new Refused(400, "INVALID_PARAMETER_VALUE", "too many in one request");
    }
    for (JsonNode param : body.path("params")) {
      String key = param.get("key").asString();
      String value = param.get("value").asString();
      if (value.length() > 6000 || !run.params.getOrDefault(key, value).equals(value)) {
        throw new Refused(400, "INVALID_PARAMETER_VALUE", "cannot change " + key);
      }
      run.params.put(key, value);
    }
    for (JsonNode metric : body.path("metrics")) {
      JsonNode value = metric.get("value");
      run.points.add(
          new Point(
              metric.get("key").asString(),
              metric.get("step").asLong(),
              value.isString() ? Double.parseDouble(value.stringValue()) : value.asDouble()));
    }
  }

  @Override
  public void close() {
    server.stop(0);
    threads.shutdownNow();
  }
}
