package org.dpo4j.cli;

import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.dpo4j.data.Sha256;

/**
 * Stands in for the hub, so that no test opens a connection to another machine: every repository of
 * models holds the example's model, every data set the example's rows.
 */
final class HubOfExamples implements AutoCloseable {
  static final Path EXAMPLES = Path.of("..", "examples").toAbsolutePath().normalize();
  private static final String COMMIT = "00c0ffee".repeat(5);
  private static final String NAME = "(?:[^/]+/)?[^/]+";
  private static final int PIECE = 1 << 16;

  private final HttpServer server;
  private final ExecutorService threads = Executors.newCachedThreadPool();
  private final long pause;
  private volatile boolean held;

  /**
   * @param pause after every 64 KiB, in milliseconds
   */
  HubOfExamples(long pause) throws IOException {
    this.pause = pause;
    server = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
    server.setExecutor(threads);
    server.createContext(
        "/",
        exchange -> {
          try (exchange) {
            answer(exchange);
          }
        });
    server.start();
  }

  String address() {
    return "http://127.0.0.1:" + server.getAddress().getPort();
  }

  /** From now on, only the first 64 KiB of a file are sent, until the hub is closed. */
  void hold() {
    held = true;
  }

  private void answer(HttpExchange exchange) throws IOException {
    String path = exchange.getRequestURI().getPath();
    Path folder = path.contains("datasets/") ? EXAMPLES : EXAMPLES.resolve("tiny-chat");
    Path file = folder.resolve(path.replaceFirst(".*/resolve/[^/]+/", "").replaceFirst("^/", ""));
    if (path.contains("missing")) {
      exchange.getResponseHeaders().add("X-Error-Code", "RepoNotFound");
      exchange.sendResponseHeaders(404, -1);
    } else if (path.matches("/api/(models|datasets)/" + NAME + "/revision/main")) {
      send(exchange, "{\"sha\": \"%s\"}".formatted(COMMIT).getBytes(StandardCharsets.UTF_8));
    } else if (path.matches("/api/(models|datasets)/" + NAME + "/tree/" + COMMIT)) {
      send(exchange, list(folder).getBytes(StandardCharsets.UTF_8));
    } else if (path.matches("/(datasets/)?" + NAME + "/resolve/" + COMMIT + "/[^/]+")
        && Files.isRegularFile(file)) {
      send(exchange, Files.readAllBytes(file));
    } else {
      exchange.sendResponseHeaders(404, -1);
    }
  }

  private static String list(Path folder) throws IOException {
    List<String> entries = new ArrayList<>();
    try (Stream<Path> files = Files.list(folder)) {
      for (Path file : files.filter(Files::isRegularFile).sorted().toList()) {
        entries.add(
            """
            {"type": "file", "path": "%s", "size": %d, "oid": "%s", "lfs": {"size": %d, "oid": "%s"}}"""
                .formatted(
                    file.getFileName(),
                    Files.size(file),
                    "0".repeat(40),
                    Files.size(file),
                    Sha256.of(file)));
      }
    }
    return entries.toString();
  }

  private void send(HttpExchange exchange, byte[] bytes) throws IOException {
    String range = exchange.getRequestHeaders().getFirst("Range");
    int from = range == null ? 0 : Integer.parseInt(range.replaceAll("\\D", ""));
    exchange
        .getResponseHeaders()
        .add("Content-Range", "bytes %d-%d/%d".formatted(from, bytes.length - 1, bytes.length));
    exchange.sendResponseHeaders(range == null ? 200 : 206, bytes.length - from);
    OutputStream body = exchange.getResponseBody();
    for (int at = from; at < bytes.length; at += PIECE) {
      body.write(bytes, at, Math.min(PIECE, bytes.length - at));
      if (pause > 0) {
        body.flush();
        sleep();
      }
      while (held && at + PIECE < bytes.length && !Thread.currentThread().isInterrupted()) {
        sleep();
      }
    }
  }

  private void sleep() {
    try {
      TimeUnit.MILLISECONDS.sleep(pause);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  @Override
  public void close() {
    server.stop(0);
    threads.shutdownNow();
  }
}
