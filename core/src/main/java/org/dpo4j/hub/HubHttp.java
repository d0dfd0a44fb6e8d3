package org.dpo4j.hub;

import java.io.IOException;
import java.io.InputStream;
import java.net.ConnectException;
import java.net.URI;
import java.net.UnknownHostException;
import java.net.http.HttpClient;
import java.net.http.HttpConnectTimeoutException;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.channels.UnresolvedAddressException;
import java.security.cert.CertPathBuilderException;
import java.security.cert.CertificateException;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ScheduledFuture;
import java.util.concurrent.ScheduledThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import javax.net.ssl.SSLException;
import org.jspecify.annotations.Nullable;

/**
 * GET requests to the hub. Redirects are followed here, since the token goes to the hub alone. Safe
 * for use by several threads.
 */
final class HubHttp implements AutoCloseable {
  private static final int MOST_REDIRECTS = 10;
  private static final Set<Integer> REDIRECTS = Set.of(301, 302, 303, 307, 308);

  private final HubEndpoint endpoint;
  private final Patience patience;
  private final Refusal refusal;
  private final HttpClient client;
  private final ScheduledThreadPoolExecutor timer = new ScheduledThreadPoolExecutor(1, HubHttp::of);
  private final Set<Answer> open = ConcurrentHashMap.newKeySet();
  private final Set<String> reached = ConcurrentHashMap.newKeySet(); // hosts with their ports

  HubHttp(HubEndpoint endpoint, Repository repository, Patience patience) {
    this.endpoint = endpoint;
    this.patience = patience;
    this.refusal = new Refusal(endpoint, repository);
    // HTTP/1.1: each file has a connection of its own, and a slow one does not hold up the others.
    this.client =
        HttpClient.newBuilder()
            .version(HttpClient.Version.HTTP_1_1)
            .followRedirects(HttpClient.Redirect.NEVER)
            .connectTimeout(patience.connect())
            .proxy(endpoint.proxies())
            .build();
    timer.setRemoveOnCancelPolicy(true);
  }

  private static Thread of(Runnable work) {
    Thread thread = new Thread(work, "hub-timer");
    thread.setDaemon(true);
    return thread;
  }

  /** An answer with status 200 or 206. A read of its body that gets nothing for too long fails. */
  final class Answer implements AutoCloseable {
    private final URI uri;
    private final HttpResponse<InputStream> response;
    private volatile boolean stalled;

    private Answer(URI uri, HttpResponse<InputStream> response) {
      this.uri = uri;
      this.response = response;
      open.add(this);
    }

    int status() {
      return response.statusCode();
    }

    /** The first header of a name, or "". */
    String header(String name) {
      return response.headers().firstValue(name).orElse("");
    }

    /** All headers of a name. */
    Iterable<String> headers(String name) {
      return response.headers().allValues(name);
    }

    /** Where it came from after redirects, without what signs the address. */
    String source() {
      return uri.getHost();
    }

    /**
     * As {@link InputStream#read(byte[])}.
     *
     * @throws HubFailure if the connection broke or nothing arrived
     */
    int read(byte[] piece) throws HubFailure {
      ScheduledFuture<?> alarm =
          timer.schedule(this::giveUp, patience.idle().toNanos(), TimeUnit.NANOSECONDS);
      try {
        int count = response.body().read(piece);
        if (count < 0 && stalled) {
          throw stalled(null);
        }
        return count;
      } catch (HubFailure e) {
        throw e;
      } catch (IOException e) {
        throw stalled
            ? stalled(e)
            : HubFailure.passing("the connection to %s broke".formatted(source()), e);
      } finally {
        alarm.cancel(false);
      }
    }

    private void giveUp() {
      stalled = true;
      close();
    }

    private HubFailure stalled(@Nullable IOException cause) {
      return HubFailure.passing(
          "%s sent nothing for %d s".formatted(source(), patience.idle().toSeconds()), cause);
    }

    @Override
    public void close() {
      open.remove(this);
      try {
        response.body().close();
      } catch (IOException e) {
        // It was read as far as it is needed.
      }
    }
  }

  /**
   * Asks for an address of the hub, and for where it sends to.
   *
   * @param path below the hub's address
   * @param from first byte of the body; the answer may begin at 0 nonetheless
   */
  Answer get(String path, long from) throws HubFailure {
    return get(endpoint.at(path), from);
  }

  /** As above, for a whole address. */
  Answer get(URI uri, long from) throws HubFailure {
    URI at = uri;
    for (int redirects = 0; redirects <= MOST_REDIRECTS; redirects++) {
      HttpResponse<InputStream> response = send(request(at, from), at);
      Answer answer = new Answer(at, response);
      reached.add(at.getAuthority());
      if (answer.status() == 200 || answer.status() == 206) {
        return answer;
      }
      answer.close();
      if (!REDIRECTS.contains(answer.status())) {
        throw refusal.of(at, answer.status(), response.headers());
      }
      at = next(at, answer.header("Location"));
    }
    throw HubFailure.lasting(
        "%s redirects more than %d times".formatted(uri.getHost(), MOST_REDIRECTS), null);
  }

  private HttpRequest request(URI at, long from) {
    HttpRequest.Builder request =
        HttpRequest.newBuilder(at)
            .header("User-Agent", "dpo4j")
            .header("Accept-Encoding", "identity");
    if (from > 0) {
      request.header("Range", "bytes=%d-".formatted(from));
    }
    endpoint.tokenFor(at).ifPresent(token -> request.header("Authorization", "Bearer " + token));
    return request.build();
  }

  /** The address that an answer refers to, which must not be less safe than its own. */
  static URI next(URI at, String location) throws HubFailure {
    URI next;
    try {
      next = at.resolve(location);
    } catch (IllegalArgumentException e) {
      throw HubFailure.lasting(at.getHost() + " refers to no address", e);
    }
    boolean safe =
        "https".equalsIgnoreCase(next.getScheme())
            || ("http".equalsIgnoreCase(next.getScheme())
                && "http".equalsIgnoreCase(at.getScheme()));
    if (location.isEmpty() || next.getHost() == null || !safe) {
      throw HubFailure.lasting(
          "%s refers to %s, which must be an address that begins with https://"
              .formatted(at.getHost(), location.isEmpty() ? "nothing" : next.getScheme() + ":..."),
          null);
    }
    return next;
  }

  /** The time limit of a request would end a long body on newer JDKs, so the wait has one here. */
  private HttpResponse<InputStream> send(HttpRequest request, URI at) throws HubFailure {
    CompletableFuture<HttpResponse<InputStream>> answer =
        client.sendAsync(request, HttpResponse.BodyHandlers.ofInputStream());
    try {
      return answer.get(patience.idle().toNanos(), TimeUnit.NANOSECONDS);
    } catch (TimeoutException e) {
      answer.cancel(true);
      throw HubFailure.passing(
          "%s did not answer for %d s".formatted(at.getHost(), patience.idle().toSeconds()), e);
    } catch (InterruptedException e) {
      answer.cancel(true);
      Thread.currentThread().interrupt();
      throw Retries.interrupted();
    } catch (ExecutionException e) {
      throw failure(at, e.getCause() == null ? e : e.getCause());
    }
  }

  private HubFailure failure(URI at, Throwable cause) {
    String host = at.getHost();
    if (has(cause, CertificateException.class) || has(cause, CertPathBuilderException.class)) {
      return HubFailure.lasting(
          "the certificate of %s is not trusted by this JDK (%s); where a company's proxy opens"
                  .formatted(host, reason(cause))
              + " connections, name a store with its certificate in the environment:"
              + " DPO4J_JAVA_OPTS=-Djavax.net.ssl.trustStore=FILE, or add it to the JDK's with"
              + " keytool",
          cause);
    }
    if (has(cause, UnresolvedAddressException.class) || has(cause, UnknownHostException.class)) {
      return unreachable(at, "the name %s is not known to the network".formatted(host), cause);
    }
    if (has(cause, HttpConnectTimeoutException.class)) {
      return unreachable(
          at,
          "%s gave no connection within %d s".formatted(host, patience.connect().toSeconds()),
          cause);
    }
    if (has(cause, ConnectException.class)) { // mostly without a message
      return unreachable(
          at, "%s refuses the connection, or no way leads there".formatted(host), cause);
    }
    if (has(cause, SSLException.class)) {
      return unreachable(
          at,
          "no encrypted connection to %s came about (%s)".formatted(host, reason(cause)),
          cause);
    }
    return HubFailure.passing(
        "the connection to %s broke (%s)".formatted(host, reason(cause)), cause);
  }

  /** Before a host was reached the network is at fault, which no second request mends. */
  private HubFailure unreachable(URI at, String what, Throwable cause) {
    if (reached.contains(at.getAuthority())) {
      return HubFailure.passing(what, cause);
    }
    return HubFailure.lasting(
        endpoint.owns(at)
            ? "%s; check the network, and https_proxy and HF_ENDPOINT in the environment (now %s)"
                .formatted(what, endpoint)
            : "%s; %s keeps its files there: check that the network and its proxy let it through"
                .formatted(what, endpoint),
        cause);
  }

  private static boolean has(Throwable failure, Class<? extends Throwable> type) {
    for (Throwable cause = failure; cause != null; cause = cause.getCause()) {
      if (type.isInstance(cause)) {
        return true;
      }
    }
    return false;
  }

  private static String reason(Throwable cause) {
    return cause.getMessage() == null ? cause.getClass().getSimpleName() : cause.getMessage();
  }

  /** Ends the reads of all threads. */
  @Override
  public void close() {
    timer.shutdownNow();
    open.forEach(Answer::close);
  }
}
