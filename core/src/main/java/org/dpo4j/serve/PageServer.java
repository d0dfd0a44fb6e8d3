package org.dpo4j.serve;

import com.sun.net.httpserver.Headers;
import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.Optional;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.function.Consumer;
import java.util.function.Function;
import org.dpo4j.DpoException;
import org.dpo4j.UsageException;
import org.dpo4j.data.Sha256;

/**
 * Shows pages to the browsers of this machine. It listens on the loopback address alone, answers
 * nothing but {@code GET} and {@code HEAD}, and refuses what pages of other origins ask.
 */
public final class PageServer implements AutoCloseable {

  /**
   * A page.
   *
   * @param html the whole document, or a part that a page asks for
   * @param policy its content security policy
   */
  public record Page(String html, String policy) {}

  private static final String HOST = "127.0.0.1";
  private static final int CONNECTIONS = 8;
  private static final int OK = 200;
  private static final int NOT_MODIFIED = 304;
  private static final int NO_BODY = -1;

  private final HttpServer http;
  private final ThreadPoolExecutor connections;
  private final CountDownLatch ended = new CountDownLatch(1);

  private PageServer(HttpServer http, ThreadPoolExecutor connections) {
    this.http = http;
    this.connections = connections;
  }

  /**
   * Starts to listen.
   *
   * @param option that names the port, for messages
   * @param port 0 for any that is free
   * @param pages the page at a path, as in {@code /}; called by several threads at a time
   * @param faults receives a line about each failure that is the server's own
   * @throws UsageException if the port cannot be listened on
   */
  public static PageServer start(
      String option, int port, Function<String, Optional<Page>> pages, Consumer<String> faults) {
    HttpServer http = HttpPort.listen(HOST, option, port);
    ThreadPoolExecutor connections = HttpPort.connections(CONNECTIONS);
    http.setExecutor(connections);
    Gate gate = new Gate(Optional.empty(), HOST);
    http.createContext("/", exchange -> handle(exchange, gate, pages, faults));
    http.start();
    return new PageServer(http, connections);
  }

  private static void handle(
      HttpExchange exchange,
      Gate gate,
      Function<String, Optional<Page>> pages,
      Consumer<String> faults)
      throws IOException {
    try {
      answer(exchange, gate, pages);
    } catch (ApiError e) {
      refuse(exchange, e.status(), String.valueOf(e.getMessage()));
    } catch (RuntimeException e) {
      faults.accept("a page could not be made: " + e);
      refuse(exchange, ApiError.FAILED, "the page could not be made; the console has the reason");
    } finally {
      exchange.close();
    }
  }

  private static void answer(
      HttpExchange exchange, Gate gate, Function<String, Optional<Page>> pages)
      throws ApiError, IOException {
    gate.checkOrigin(exchange.getRequestHeaders());
    String method = exchange.getRequestMethod();
    if (!method.equals("GET") && !method.equals("HEAD")) {
      exchange.getResponseHeaders().set("Allow", "GET, HEAD");
      throw ApiError.of(ApiError.METHOD_NOT_ALLOWED, "the method must be GET but was " + method);
    }
    Page page =
        pages
            .apply(String.valueOf(exchange.getRequestURI().getPath()))
            .orElseThrow(() -> ApiError.of(ApiError.NOT_FOUND, "there is no page of this name"));
    byte[] body = page.html().getBytes(StandardCharsets.UTF_8);
    String tag = '"' + Sha256.of(body) + '"';
    Headers headers = headers(exchange, "text/html; charset=utf-8");
    headers.set("Content-Security-Policy", page.policy());
    headers.set("ETag", tag);
    if (tag.equals(exchange.getRequestHeaders().getFirst("If-None-Match"))) {
      exchange.sendResponseHeaders(NOT_MODIFIED, NO_BODY);
    } else {
      send(exchange, OK, body);
    }
  }

  private static void refuse(HttpExchange exchange, int status, String message) throws IOException {
    headers(exchange, "text/plain; charset=utf-8");
    send(exchange, status, (message + "\n").getBytes(StandardCharsets.UTF_8));
  }

  /** Nothing is kept, guessed, framed or told to others. */
  private static Headers headers(HttpExchange exchange, String type) {
    Headers headers = exchange.getResponseHeaders();
    headers.set("Content-Type", type);
    headers.set("Cache-Control", "no-cache");
    headers.set("X-Content-Type-Options", "nosniff");
    headers.set("X-Frame-Options", "DENY");
    headers.set("Referrer-Policy", "no-referrer");
    headers.set("Cross-Origin-Resource-Policy", "same-origin");
    return headers;
  }

  private static void send(HttpExchange exchange, int status, byte[] body) throws IOException {
    boolean bare = exchange.getRequestMethod().equals("HEAD");
    exchange.sendResponseHeaders(status, bare ? NO_BODY : body.length);
    if (!bare) {
      exchange.getResponseBody().write(body);
    }
  }

  /** The address of the first page. */
  public String url() {
    return HttpPort.url(HOST, http) + "/";
  }

  /**
   * Waits until the server is closed.
   *
   * @throws DpoException if the calling thread is interrupted
   */
  public void await() {
    try {
      ended.await();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new DpoException("the thread was interrupted while it served", e);
    }
  }

  @Override
  public void close() {
    http.stop(0);
    connections.shutdownNow();
    ended.countDown();
  }
}
