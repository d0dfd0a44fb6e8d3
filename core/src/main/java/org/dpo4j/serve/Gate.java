package org.dpo4j.serve;

import com.sun.net.httpserver.Headers;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.Set;
import org.dpo4j.data.Sha256;
import org.jspecify.annotations.Nullable;

/**
 * Who may ask. A page in a browser may not, whatever machine it came from: the browser of a user on
 * this machine reaches loopback addresses too.
 */
final class Gate {

  private static final String BEARER = "Bearer ";

  private final Optional<byte[]> keyHash;
  private final Set<String> hosts;

  /**
   * @param key that requests must present
   * @param host on which the server listens
   */
  Gate(Optional<String> key, String host) {
    this.keyHash = key.map(Gate::hash);
    String own = host.contains(":") ? "[" + host + "]" : host;
    this.hosts =
        Set.copyOf(
            List.of("localhost", "127.0.0.1", "[::1]", own.toLowerCase(Locale.ROOT)).stream()
                .distinct()
                .toList());
  }

  /** Refuses pages of other origins. */
  void checkOrigin(Headers headers) throws ApiError {
    String host = headers.getFirst("Host");
    // A name that an attacker lets point here (DNS rebinding). With a key, the page lacks the key.
    if (keyHash.isEmpty() && host != null && !hosts.contains(name(host))) {
      throw ApiError.of(
          ApiError.FORBIDDEN,
          "the header Host must be localhost or an address of this machine but was \"%s\""
              .formatted(host));
    }
    String origin = headers.getFirst("Origin");
    if (origin != null && !origin.equals("http://" + host) && !origin.equals("https://" + host)) {
      throw ApiError.of(
          ApiError.FORBIDDEN,
          "a web page must not use this server, but one of \"%s\" did; let its own server ask"
              .formatted(origin));
    }
  }

  /** Refuses requests without the key. */
  void checkKey(Headers headers) throws ApiError {
    if (keyHash.isEmpty()) {
      return;
    }
    @Nullable String given = headers.getFirst("Authorization");
    boolean right =
        given != null
            && given.regionMatches(true, 0, BEARER, 0, BEARER.length())
            // Hashes of one length, compared in a time that does not tell where they differ.
            && MessageDigest.isEqual(hash(given.substring(BEARER.length()).strip()), keyHash.get());
    if (!right) {
      throw ApiError.of(
          ApiError.UNAUTHORIZED,
          given == null
              ? "the header Authorization: Bearer KEY is missing"
              : "the API key is wrong",
          "invalid_api_key");
    }
  }

  /** The name in a Host header, without the port. */
  private static String name(String host) {
    return host.replaceFirst(":\\d*$", "").toLowerCase(Locale.ROOT);
  }

  private static byte[] hash(String key) {
    return Sha256.of(key.getBytes(StandardCharsets.UTF_8)).getBytes(StandardCharsets.UTF_8);
  }
}
