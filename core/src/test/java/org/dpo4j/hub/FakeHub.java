package org.dpo4j.hub;

import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import org.dpo4j.data.Sha256;
import tools.jackson.databind.json.JsonMapper;

/**
 * Imitates the hub's interface on this machine: a server with pages of files, and a store on
 * another port to which it sends for large files. Faults stand in for their answers.
 */
final class FakeHub implements AutoCloseable {
  static final String NAME = "acme/tiny";
  static final String COMMIT = "0123456789abcdef0123456789abcdef01234567";
  static final int LARGE = 1000;
  private static final int PAGE = 3;

  static {
    // Without it each answer waits 40 ms for the acknowledgement of its first packet.
    System.setProperty("sun.net.httpserver.nodelay", "true");
  }

  /** An answer in place of the right one. */
  @FunctionalInterface
  interface Fault {
    void answer(HttpExchange exchange, byte[] right) throws IOException;
  }

  /** A request as it arrived. */
  record Request(boolean toStore, String path, String token, String range) {}

  final List<Request> requests = new CopyOnWriteArrayList<>();
  private final Map<String, byte[]> files = new LinkedHashMap<>();
  private final List<Map<String, Object>> odd = new ArrayList<>();
  private final Map<String, Deque<Fault>> faults = new ConcurrentHashMap<>();
  private final HttpServer hub;
  private final HttpServer store;
  private final ExecutorService threads = Executors.newCachedThreadPool();
  private volatile String commit = COMMIT;
  private volatile Optional<Fault> always = Optional.empty();

  FakeHub() throws IOException {
    hub = server(this::answer);
    store = server(this::store);
  }

  private HttpServer server(com.sun.net.httpserver.HttpHandler handler) throws IOException {
    HttpServer server =
        HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
    server.setExecutor(threads);
    server.createContext(
        "/",
        exchange -> {
          try (exchange) {
            handler.handle(exchange);
          }
        });
    server.start();
    return server;
  }

  String address() {
    return "http://127.0.0.1:" + hub.getAddress().getPort();
  }

  FakeHub with(String path, byte[] bytes) {
    files.put(path, bytes);
    return this;
  }

  FakeHub with(String path, String text) {
    return with(path, text.getBytes(StandardCharsets.UTF_8));
  }

  /** An entry of the list that is not as the interface has it. */
  void withOdd(Map<String, Object> entry) {
    odd.add(entry);
  }

  byte[] bytes(String path) {
    return Objects.requireNonNull(files.get(path));
  }

  Map<String, byte[]> files() {
    return files;
  }

  void moveTo(String otherCommit) {
    commit = otherCommit;
  }

  /** The next answers for a file, or for a path of the interface. */
  void next(String path, Fault... answers) {
    faults.put(path, new ArrayDeque<>(List.of(answers)));
  }

  /** Every answer for the bytes of a file. */
  void always(Fault answer) {
    always = Optional.of(answer);
  }

  void rightAgain() {
    always = Optional.empty();
  }

  long requestsForBytes() {
    return requests.stream().filter(request -> request.path().contains("/resolve/")).count();
  }

  private void answer(HttpExchange exchange) throws IOException {
    String path = exchange.getRequestURI().getPath();
    note(exchange, false, path);
    if (faulty(exchange, path, new byte[0])) {
      return;
    }
    String models = "/api/models/" + NAME;
    if (path.startsWith("/api/models/old") || path.startsWith("/old/")) {
      String query = exchange.getRequestURI().getRawQuery();
      redirect(
          exchange, // relative, as for a renamed one
          exchange.getRequestURI().getRawPath().replaceFirst("/old\\b", "/" + NAME)
              + (query == null ? "" : "?" + query));
    } else if (path.equals(models + "/revision/main") || path.equals(models + "/revision/a/b")) {
      json(exchange, "{\"id\": \"%s\", \"sha\": \"%s\"}".formatted(NAME, commit));
    } else if (path.equals(models + "/tree/" + commit)) {
      page(exchange);
    } else if (path.startsWith("/" + NAME + "/resolve/" + commit + "/")) {
      file(exchange, path.substring(path.indexOf(commit) + commit.length() + 1));
    } else {
      exchange.getResponseHeaders().add("X-Error-Code", "RepoNotFound");
      exchange.sendResponseHeaders(404, -1);
    }
  }

  private void note(HttpExchange exchange, boolean toStore, String path) {
    requests.add(
        new Request(
            toStore,
            path,
            String.valueOf(exchange.getRequestHeaders().getFirst("Authorization")),
            String.valueOf(exchange.getRequestHeaders().getFirst("Range"))));
  }

  private boolean faulty(HttpExchange exchange, String key, byte[] right) throws IOException {
    Deque<Fault> queue = faults.getOrDefault(key, new ArrayDeque<>());
    Fault next;
    synchronized (queue) {
      next = queue.poll();
    }
    if (next != null) {
      next.answer(exchange, right);
    }
    return next != null;
  }

  private void page(HttpExchange exchange) throws IOException {
    String query = String.valueOf(exchange.getRequestURI().getQuery());
    int from = query.contains("cursor=") ? Integer.parseInt(query.replaceAll(".*cursor=", "")) : 0;
    List<Map<String, Object>> entries = new ArrayList<>();
    entries.add(Map.of("type", "directory", "oid", "0".repeat(40), "size", 0, "path", "folder"));
    entries.addAll(odd);
    List<String> names = List.copyOf(files.keySet());
    for (String name : names.subList(from, Math.min(names.size(), from + PAGE))) {
      entries.add(entry(name, bytes(name)));
    }
    if (from + PAGE < names.size()) {
      exchange
          .getResponseHeaders()
          .add(
              "Link",
              "<%s%s?recursive=true&cursor=%d>; rel=\"next\""
                  .formatted(address(), exchange.getRequestURI().getPath(), from + PAGE));
    }
    json(exchange, JsonMapper.shared().writeValueAsString(entries));
  }

  private static Map<String, Object> entry(String name, byte[] bytes) {
    Map<String, Object> entry = new LinkedHashMap<>();
    entry.put("type", "file");
    entry.put("oid", gitHash(bytes));
    entry.put("size", bytes.length);
    if (bytes.length >= LARGE) {
      entry.put("oid", gitHash("pointer".getBytes(StandardCharsets.UTF_8)));
      entry.put("lfs", Map.of("oid", Sha256.of(bytes), "size", bytes.length, "pointerSize", 130));
    }
    entry.put("path", name);
    return entry;
  }

  static String gitHash(byte[] bytes) {
    try {
      MessageDigest digest = MessageDigest.getInstance("SHA-1");
      digest.update("blob %d\0".formatted(bytes.length).getBytes(StandardCharsets.US_ASCII));
      return HexFormat.of().formatHex(digest.digest(bytes));
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException(e);
    }
  }

  private void file(HttpExchange exchange, String name) throws IOException {
    byte[] bytes = files.get(name);
    if (bytes == null) {
      exchange.getResponseHeaders().add("X-Error-Code", "EntryNotFound");
      exchange.sendResponseHeaders(404, -1);
    } else if (bytes.length >= LARGE) {
      redirect(
          exchange,
          "http://127.0.0.1:%d/%s?X-Amz-Signature=a%%2Fb"
              .formatted(
                  store.getAddress().getPort(),
                  exchange.getRequestURI().getRawPath().replaceAll(".*" + commit + "/", "")));
    } else {
      send(exchange, name, bytes);
    }
  }

  private void store(HttpExchange exchange) throws IOException {
    String name = exchange.getRequestURI().getPath().substring(1);
    note(exchange, true, name);
    send(exchange, name, bytes(name));
  }

  private void send(HttpExchange exchange, String name, byte[] bytes) throws IOException {
    if (faulty(exchange, name, bytes)) {
      return;
    }
    if (always.isPresent()) {
      always.get().answer(exchange, bytes);
      return;
    }
    part(exchange, bytes, from(exchange));
  }

  /** The first byte that is asked for. */
  static int from(HttpExchange exchange) {
    String range = exchange.getRequestHeaders().getFirst("Range");
    return range == null ? 0 : Integer.parseInt(range.replaceAll("\\D", ""));
  }

  /** Sends the bytes from one on, as a store does. */
  static void part(HttpExchange exchange, byte[] bytes, int from) throws IOException {
    begin(exchange, bytes, from);
    exchange.getResponseBody().write(bytes, from, bytes.length - from);
  }

  private static void begin(HttpExchange exchange, byte[] bytes, int from) throws IOException {
    if (from > 0) {
      exchange
          .getResponseHeaders()
          .add("Content-Range", "bytes %d-%d/%d".formatted(from, bytes.length - 1, bytes.length));
    }
    int length = bytes.length - from;
    exchange.sendResponseHeaders(from > 0 ? 206 : 200, length == 0 ? -1 : length);
  }

  private static void redirect(HttpExchange exchange, String to) throws IOException {
    exchange.getResponseHeaders().add("Location", to);
    exchange.sendResponseHeaders(302, -1);
  }

  private static void json(HttpExchange exchange, String text) throws IOException {
    exchange.getResponseHeaders().add("Content-Type", "application/json");
    part(exchange, text.getBytes(StandardCharsets.UTF_8), 0);
  }

  // --- faults ------------------------------------------------------------------------------------

  /** A status with headers, as NAME, VALUE, ... */
  static Fault status(int status, String... headers) {
    return (exchange, right) -> {
      for (int i = 0; i < headers.length; i += 2) {
        exchange.getResponseHeaders().add(headers[i], headers[i + 1]);
      }
      exchange.sendResponseHeaders(status, -1);
    };
  }

  /** Other bytes with a status, in full. */
  static Fault bytes(int status, byte[] bytes, String... headers) {
    return (exchange, right) -> {
      for (int i = 0; i < headers.length; i += 2) {
        exchange.getResponseHeaders().add(headers[i], headers[i + 1]);
      }
      exchange.sendResponseHeaders(status, bytes.length);
      exchange.getResponseBody().write(bytes);
    };
  }

  /** The connection ends after some bytes. */
  static Fault cut(int after) {
    return (exchange, right) -> {
      int from = from(exchange);
      begin(exchange, right, from);
      exchange.getResponseBody().write(right, from, Math.min(after, right.length - from - 1));
      exchange.getResponseBody().flush();
    };
  }

  /** Nothing comes after some bytes, and the connection stays. */
  static Fault stall(int after, long millis) {
    return (exchange, right) -> {
      int from = from(exchange);
      begin(exchange, right, from);
      exchange.getResponseBody().write(right, from, after);
      exchange.getResponseBody().flush();
      sleep(millis);
    };
  }

  /** Few bytes at a time, and an end after some of them (0 for none). */
  static Fault slow(int piece, long millis, int cutAfter) {
    return (exchange, right) -> {
      int from = from(exchange);
      begin(exchange, right, from);
      int end = cutAfter == 0 ? right.length : Math.min(right.length, from + cutAfter);
      OutputStream body = exchange.getResponseBody();
      for (int at = from; at < end; at += piece) {
        body.write(right, at, Math.min(piece, end - at));
        body.flush();
        sleep(millis);
      }
    };
  }

  /** The right length with one wrong byte, from where it is asked for. */
  static Fault wrongByte() {
    return (exchange, right) -> {
      byte[] wrong = right.clone();
      wrong[wrong.length - 1] ^= 1;
      part(exchange, wrong, from(exchange));
    };
  }

  static void sleep(long millis) {
    try {
      TimeUnit.MILLISECONDS.sleep(millis);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  @Override
  public void close() {
    hub.stop(0);
    store.stop(0);
    threads.shutdownNow();
  }
}
