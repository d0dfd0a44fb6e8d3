package org.dpo4j.hub;

import java.net.URLEncoder;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.stream.Collectors;

/**
 * A repository at a revision, and the addresses of the hub's interface for it, below the address of
 * the hub.
 *
 * @param type model or data set
 * @param name as in {@code owner/name}
 * @param revision branch, tag or commit
 */
public record Repository(RepositoryType type, String name, String revision) {

  /** What is known of the revision: the commit that it names. */
  String commitPath() {
    return "/api/%s/%s/revision/%s".formatted(type.plural(), name, encoded(revision));
  }

  /** The first page of the files of a commit. */
  String filesPath(String commit) {
    return "/api/%s/%s/tree/%s?recursive=true".formatted(type.plural(), name, commit);
  }

  /** The bytes of a file of a commit. */
  String filePath(String commit, String file) {
    String encoded =
        Arrays.stream(file.split("/", -1))
            .map(Repository::encoded)
            .collect(Collectors.joining("/"));
    return "/%s%s/resolve/%s/%s".formatted(type.prefix(), name, commit, encoded);
  }

  /** The page for people. */
  String page() {
    return "/" + type.prefix() + name;
  }

  /** One segment of a path, percent-encoded. */
  private static String encoded(String segment) {
    return URLEncoder.encode(segment, StandardCharsets.UTF_8).replace("+", "%20");
  }

  @Override
  public String toString() {
    return type.words() + " " + name;
  }
}
