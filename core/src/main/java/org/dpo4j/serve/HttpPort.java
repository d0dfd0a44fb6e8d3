package org.dpo4j.serve;

import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.UnknownHostException;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.dpo4j.UsageException;

/** How every server here listens: with limits on time, and threads that end when they are idle. */
final class HttpPort {

  private static final int KEEP_ALIVE_SECONDS = 30;

  /** For the headers and the body of a request to arrive. */
  private static final String REQUEST_SECONDS = "30";

  /** For an answer to be generated and read. */
  private static final String RESPONSE_SECONDS = "3600";

  private HttpPort() {}

  /**
   * The address of a host.
   *
   * @throws UsageException if this machine does not know it
   */
  static InetAddress address(String host) {
    try {
      return InetAddress.getByName(host);
    } catch (UnknownHostException e) {
      throw new UsageException(
          "host", "must be a name or address of this machine", "was " + host, "127.0.0.1 is usual");
    }
  }

  /**
   * A server that is not started yet.
   *
   * @param option that names the port
   * @param port 0 for any that is free
   * @throws UsageException if the port cannot be listened on
   */
  static HttpServer listen(String host, String option, int port) {
    limitTimes();
    try {
      return HttpServer.create(new InetSocketAddress(address(host), port), 0);
    } catch (IOException e) {
      throw new UsageException(
          option,
          "must be free on %s".formatted(host),
          "was %d: %s".formatted(port, e.getMessage()),
          "another program may listen there; 0 takes any that is free");
    }
  }

  /** The JDK's server reads these when its first one is made. Those of the user are kept. */
  private static void limitTimes() {
    setIfAbsent("sun.net.httpserver.maxReqTime", REQUEST_SECONDS);
    setIfAbsent("sun.net.httpserver.maxRspTime", RESPONSE_SECONDS);
    // Else a token may wait for the confirmation of the one before it.
    setIfAbsent("sun.net.httpserver.nodelay", "true");
  }

  private static void setIfAbsent(String property, String value) {
    if (System.getProperty(property) == null) {
      System.setProperty(property, value);
    }
  }

  /**
   * Daemon threads for connections.
   *
   * @param most connections that are answered at a time; others wait until one is
   */
  static ThreadPoolExecutor connections(int most) {
    AtomicInteger number = new AtomicInteger();
    ThreadPoolExecutor pool =
        new ThreadPoolExecutor(
            most,
            most,
            KEEP_ALIVE_SECONDS,
            TimeUnit.SECONDS,
            new LinkedBlockingQueue<>(),
            work -> {
              Thread worker = new Thread(work, "serve-" + number.incrementAndGet());
              worker.setDaemon(true);
              return worker;
            });
    pool.allowCoreThreadTimeOut(true);
    return pool;
  }

  /** The address of a server, as in {@code http://127.0.0.1:8080}. */
  static String url(String host, HttpServer http) {
    return "http://%s:%d"
        .formatted(host.contains(":") ? "[" + host + "]" : host, http.getAddress().getPort());
  }
}
