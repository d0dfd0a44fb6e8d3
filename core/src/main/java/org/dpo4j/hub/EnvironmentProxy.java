package org.dpo4j.hub;

import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.Proxy;
import java.net.ProxySelector;
import java.net.SocketAddress;
import java.net.URI;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Stream;
import org.dpo4j.UsageException;

/**
 * The proxy that {@code https_proxy}, {@code http_proxy}, {@code all_proxy} and {@code no_proxy}
 * name, as other tools read them. The JDK reads only its system properties.
 */
public final class EnvironmentProxy extends ProxySelector {
  private static final int USUAL_PORT = 80;

  private final Map<String, Proxy> ofScheme;
  private final List<String> direct;

  private EnvironmentProxy(Map<String, Proxy> ofScheme, List<String> direct) {
    this.ofScheme = ofScheme;
    this.direct = direct;
  }

  /**
   * The environment's proxies; those of the JDK's properties where the environment names none.
   *
   * @param environment variables by name, as {@link System#getenv()}
   * @throws UsageException if a proxy is no address, or has a user and a password
   */
  public static ProxySelector of(Map<String, String> environment) {
    Proxy all = proxy(environment, "all_proxy").orElse(Proxy.NO_PROXY);
    Map<String, Proxy> ofScheme =
        Map.of(
            "https", proxy(environment, "https_proxy").orElse(all),
            "http", proxy(environment, "http_proxy").orElse(all));
    if (ofScheme.values().stream().allMatch(Proxy.NO_PROXY::equals)) {
      return Optional.ofNullable(ProxySelector.getDefault())
          .orElseGet(() -> ProxySelector.of(null));
    }
    List<String> direct =
        Arrays.stream(value(environment, "no_proxy").split("[,\\s]+"))
            .map(entry -> entry.toLowerCase(Locale.ROOT).replaceFirst("^\\*?\\.", ""))
            .filter(entry -> !entry.isEmpty())
            .toList();
    return new EnvironmentProxy(ofScheme, direct);
  }

  /** The value under the name in small letters, or in capital ones. */
  private static String value(Map<String, String> environment, String name) {
    return Stream.of(name, name.toUpperCase(Locale.ROOT))
        .map(key -> environment.getOrDefault(key, "").strip())
        .filter(value -> !value.isEmpty())
        .findFirst()
        .orElse("");
  }

  private static Optional<Proxy> proxy(Map<String, String> environment, String name) {
    String value = value(environment, name);
    if (value.isEmpty()) {
      return Optional.empty();
    }
    try {
      URI uri = URI.create(value.contains("://") ? value : "http://" + value);
      if ("http".equalsIgnoreCase(uri.getScheme())
          && uri.getHost() != null
          && uri.getRawUserInfo() == null) {
        int port = uri.getPort() < 0 ? USUAL_PORT : uri.getPort();
        return Optional.of(
            new Proxy(Proxy.Type.HTTP, InetSocketAddress.createUnresolved(uri.getHost(), port)));
      }
    } catch (IllegalArgumentException e) {
      // Not an address. It may hold a password: the message does not show it.
    }
    throw new UsageException(
        name
            + " in the environment must be an HTTP proxy without user and password, as in"
            + " http://proxy.example.com:3128, but is something else; change it, or unset it to"
            + " connect without a proxy");
  }

  @Override
  public List<Proxy> select(URI uri) {
    String host = String.valueOf(uri.getHost()).toLowerCase(Locale.ROOT);
    boolean isDirect =
        HubEndpoint.isThisMachine(uri)
            || direct.stream()
                .anyMatch(
                    entry -> entry.equals("*") || host.equals(entry) || host.endsWith("." + entry));
    return List.of(isDirect ? Proxy.NO_PROXY : ofScheme.getOrDefault(scheme(uri), Proxy.NO_PROXY));
  }

  private static String scheme(URI uri) {
    return String.valueOf(uri.getScheme()).toLowerCase(Locale.ROOT);
  }

  @Override
  public void connectFailed(URI uri, SocketAddress address, IOException failure) {
    // The request fails with it.
  }
}
