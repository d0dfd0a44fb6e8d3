package org.dpo4j.hub;

import java.io.ByteArrayOutputStream;
import java.net.URI;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.dpo4j.DpoException;
import org.dpo4j.data.BoundedJson;
import org.dpo4j.options.Limit;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.JsonNode;

/**
 * The files of a repository at a commit.
 *
 * @param commit 40 hexadecimal digits
 * @param files in the hub's order
 */
record HubListing(String commit, List<HubFile> files) {
  private static final Pattern COMMIT = Pattern.compile("[0-9a-f]{40}");
  private static final Pattern NEXT = Pattern.compile("<([^>]*)>\\s*;[^,<]*\\brel=\"?next\\b");
  private static final int MOST_PAGES = 10_000;
  private static final int MOST_FILES = 1_000_000;
  private static final int PIECE = 1 << 16;

  /**
   * Asks the hub for the commit of the revision, and for its files.
   *
   * @throws DpoException if there is no such repository or revision, or the hub cannot be reached
   */
  static HubListing of(
      HubHttp http, HubEndpoint endpoint, Repository repository, Patience patience) {
    Page first = page(http, endpoint.at(repository.commitPath()), patience);
    String commit = first.json.path("sha").asString("");
    if (!COMMIT.matcher(commit).matches()) {
      throw new DpoException(
          "%s must name the commit of %s but does not; check HF_ENDPOINT in the environment"
              .formatted(endpoint, repository));
    }
    List<HubFile> files = new ArrayList<>();
    Set<URI> pages = new HashSet<>();
    Optional<URI> next = Optional.of(endpoint.at(repository.filesPath(commit)));
    while (next.isPresent()) {
      if (!pages.add(next.get()) || pages.size() > MOST_PAGES || files.size() > MOST_FILES) {
        throw new DpoException("the list of the files of %s does not end".formatted(repository));
      }
      Page page = page(http, next.get(), patience);
      for (JsonNode entry : page.json) {
        if (entry.path("type").asString("").equals("file")) {
          files.add(file(entry));
        }
      }
      next = page.next;
    }
    return new HubListing(commit, List.copyOf(files));
  }

  private static HubFile file(JsonNode entry) {
    JsonNode large = entry.path("lfs");
    JsonNode node = large.isObject() ? large : entry;
    return new HubFile(
        entry.path("path").asString(""),
        node.path("size").asLong(-1),
        node.path("oid").asString("").replaceFirst("^sha256:", ""));
  }

  /** One answer of the interface: a document, and the address of the next one. */
  private record Page(JsonNode json, Optional<URI> next) {}

  private static Page page(HubHttp http, URI uri, Patience patience) {
    Retries retries = new Retries(patience, "");
    while (true) {
      try (HubHttp.Answer answer = http.get(uri, 0)) {
        return new Page(json(answer), next(uri, answer));
      } catch (HubFailure e) {
        retries.after(e);
      }
    }
  }

  private static JsonNode json(HubHttp.Answer answer) throws HubFailure {
    byte[] bytes = bytes(answer);
    try {
      return BoundedJson.LENIENT.readTree(bytes);
    } catch (JacksonException e) {
      boolean page = answer.header("Content-Type").startsWith("text/html");
      throw HubFailure.lasting(
          "%s must answer in JSON but sent %s; %s"
              .formatted(
                  answer.source(),
                  page ? "a web page" : "something else",
                  page
                      ? "perhaps a network asks for a login first, or a proxy shows a page of its own:"
                          + " open the address in a browser"
                      : "check HF_ENDPOINT in the environment"),
          e);
    }
  }

  private static byte[] bytes(HubHttp.Answer answer) throws HubFailure {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    byte[] piece = new byte[PIECE];
    for (int count = answer.read(piece); count >= 0; count = answer.read(piece)) {
      bytes.write(piece, 0, count);
      if (bytes.size() > Limit.INDEX_BYTES.value()) {
        throw new DpoException(Limit.INDEX_BYTES.rule("a list of files of " + answer.source()));
      }
    }
    return bytes.toByteArray();
  }

  private static Optional<URI> next(URI uri, HubHttp.Answer answer) throws HubFailure {
    for (String link : answer.headers("Link")) {
      Matcher next = NEXT.matcher(link);
      if (next.find()) {
        return Optional.of(HubHttp.next(uri, next.group(1)));
      }
    }
    return Optional.empty();
  }
}
