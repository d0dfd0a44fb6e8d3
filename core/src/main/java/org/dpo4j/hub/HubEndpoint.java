package org.dpo4j.hub;

import java.net.ProxySelector;
import java.net.URI;
import java.net.URISyntaxException;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import org.dpo4j.UsageException;

/**
 * Where the hub is, how it is reached, and who asks: {@code HF_ENDPOINT}, {@code HF_TOKEN} and the
 * proxy of the environment.
 */
public final class HubEndpoint {
  private static final String USUAL = "https://huggingface.co";

  private final URI base;
  private final Optional<String> token;
  private final ProxySelector proxies;

  private HubEndpoint(URI base, Optional<String> token, ProxySelector proxies) {
    this.base = base;
    this.token = token;
    this.proxies = proxies;
  }

  /**
   * The hub that an environment names.
   *
   * @param environment variables by name, as {@link System#getenv()}
   * @throws UsageException if a variable has a value that cannot be used
   */
  public static HubEndpoint of(Map<String, String> environment) {
    String address = environment.getOrDefault("HF_ENDPOINT", "").strip();
    Optional<String> token =
        Optional.of(environment.getOrDefault("HF_TOKEN", "").strip())
            .filter(text -> !text.isEmpty());
    if (token.isPresent() && !token.get().chars().allMatch(c -> c > ' ' && c < 0x7f)) {
      // The value is a secret: the message does not show it.
      throw new UsageException(
          "HF_TOKEN in the environment must be one word of ASCII letters and signs; copy it again"
              + " from https://huggingface.co/settings/tokens");
    }
    return new HubEndpoint(
        base(address.isEmpty() ? USUAL : address), token, EnvironmentProxy.of(environment));
  }

  private static URI base(String address) {
    URI uri;
    try {
      uri = new URI(address.replaceAll("/+$", ""));
    } catch (URISyntaxException e) {
      throw new UsageException(wrong(address), e);
    }
    boolean plain = "http".equalsIgnoreCase(uri.getScheme()) && isThisMachine(uri);
    if (uri.getHost() == null
        || uri.getRawQuery() != null
        || uri.getRawUserInfo() != null
        || !(plain || "https".equalsIgnoreCase(uri.getScheme()))) {
      throw new UsageException(wrong(address));
    }
    return uri;
  }

  private static String wrong(String address) {
    return "HF_ENDPOINT in the environment must be an address such as %s (http:// only on this"
            .formatted(USUAL)
        + " machine, as in http://localhost:8080) but was "
        + address;
  }

  /** Whether a host is this machine by its name. */
  public static boolean isThisMachine(URI uri) {
    String host = String.valueOf(uri.getHost()).toLowerCase(Locale.ROOT);
    return host.equals("localhost") || host.equals("[::1]") || host.matches("127(\\.\\d+){3}");
  }

  /**
   * An address of the hub.
   *
   * @param path begins with a slash, percent-encoded
   */
  URI at(String path) {
    return URI.create(base + path);
  }

  /** The token, for an address of the hub itself: no other host may see it. */
  Optional<String> tokenFor(URI uri) {
    return owns(uri) ? token : Optional.empty();
  }

  boolean hasToken() {
    return token.isPresent();
  }

  /** Whether an address is one of the hub itself, and not of a store that it sends to. */
  boolean owns(URI uri) {
    return base.getScheme().equalsIgnoreCase(uri.getScheme())
        && base.getHost().equalsIgnoreCase(uri.getHost())
        && port(base) == port(uri);
  }

  private static int port(URI uri) {
    if (uri.getPort() >= 0) {
      return uri.getPort();
    }
    return "https".equalsIgnoreCase(uri.getScheme()) ? 443 : 80;
  }

  ProxySelector proxies() {
    return proxies;
  }

  @Override
  public String toString() {
    return base.toString();
  }
}
