package org.dpo4j.serve;

import com.sun.net.httpserver.HttpServer;
import java.time.Duration;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.function.Consumer;
import org.dpo4j.DpoException;
import org.dpo4j.OptionText;
import org.dpo4j.UsageException;
import org.dpo4j.generate.ModelThread;
import org.dpo4j.model.CausalLm;
import org.dpo4j.tokenizer.ModelTokenizer;

/**
 * Answers requests in the form of OpenAI's API with one model. Each connection has a thread that
 * waits for its answer; one thread computes all of them.
 */
public final class Server implements AutoCloseable {

  /**
   * What is served.
   *
   * @param name of the model, which requests must give
   * @param endTokens ids that end an answer
   */
  public record Model(
      String name, CausalLm model, Set<Integer> endTokens, ModelTokenizer tokenizer) {}

  /**
   * How it is served.
   *
   * @param host name or address on which it listens
   * @param port 0 for any that is free
   * @param key that requests must present; required unless the host is a loopback address
   * @param maxConcurrent answers that are generated at a time
   * @param queue requests that wait; more are refused
   * @param maxLength tokens of prompt and answer together; 0 for the model's context
   * @param threads that compute; 0 for all cores
   */
  public record Settings(
      String host,
      int port,
      Optional<String> key,
      int maxConcurrent,
      int queue,
      int maxLength,
      int threads) {

    /**
     * Checks what needs no model.
     *
     * @throws UsageException if the host is not known, or others reach it and there is no key
     */
    public Settings {
      if (!HttpPort.address(host).isLoopbackAddress() && key.isEmpty()) {
        throw new UsageException(
            OptionText.of(
                "{host} %s is reached from other machines, so an API key must be required; write"
                    + " one to a file and pass {api_key_file} FILE, or set %s",
                host, KEY_VARIABLE));
      }
    }
  }

  /** The environment variable that may hold the key. */
  public static final String KEY_VARIABLE = "DPO4J_API_KEY";

  /** Connections that are answered at a time; others wait until one is. */
  private static final int CONNECTIONS = 256;

  private final String host;
  private final HttpServer http;
  private final ModelThread thread;
  private final ThreadPoolExecutor connections;
  private final CountDownLatch ended = new CountDownLatch(1);

  private Server(String host, HttpServer http, ModelThread thread, ThreadPoolExecutor connections) {
    this.host = host;
    this.http = http;
    this.thread = thread;
    this.connections = connections;
  }

  /**
   * Starts to listen.
   *
   * @param model not used by others until the server is closed, which does not close it
   * @param faults receives a line about each failure that is the server's own
   * @throws UsageException if the port cannot be listened on
   */
  public static Server start(Model model, Settings settings, Consumer<String> faults) {
    HttpServer http = HttpPort.listen(settings.host(), "port", settings.port());
    ModelThread thread =
        new ModelThread(
            model.model(),
            model.endTokens(),
            settings.maxLength(),
            settings.maxConcurrent(),
            settings.queue(),
            settings.threads());
    Gate gate = new Gate(settings.key(), settings.host());
    ThreadPoolExecutor connections = HttpPort.connections(CONNECTIONS);
    http.setExecutor(connections);
    http.createContext("/", new Handler(model, thread, gate, faults));
    http.start();
    return new Server(settings.host(), http, thread, connections);
  }

  /** The address of the API, as in {@code http://127.0.0.1:8080/v1}. */
  public String url() {
    return HttpPort.url(host, http) + "/v1";
  }

  /** The most tokens of prompt and answer together. */
  public int positions() {
    return thread.positions();
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

  /**
   * Stops: requests that wait are refused at once, and answers that run fail after some time.
   *
   * @param patience with answers that run
   */
  public void close(Duration patience) {
    thread.close(patience);
    http.stop(1); // seconds for the last pieces to be sent
    connections.shutdownNow();
    ended.countDown();
  }

  /** Stops at once. */
  @Override
  public void close() {
    close(Duration.ZERO);
  }
}
