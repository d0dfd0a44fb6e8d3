package org.dpo4j.hub;

import java.net.URI;
import java.net.http.HttpHeaders;
import java.time.DateTimeException;
import java.time.Duration;
import java.time.Instant;
import java.time.ZonedDateTime;
import java.time.format.DateTimeFormatter;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.dpo4j.OptionText;
import org.dpo4j.report.TimeText;

/** What a refusing answer of the hub means, and what to do about it. */
final class Refusal {
  private static final String TOKENS = "https://huggingface.co/settings/tokens";

  /** The address of a file: its path stands behind the commit. */
  private static final Pattern FILE = Pattern.compile("/resolve/[0-9a-f]{40}/(.+)");

  private final HubEndpoint endpoint;
  private final Repository repository;

  Refusal(HubEndpoint endpoint, Repository repository) {
    this.endpoint = endpoint;
    this.repository = repository;
  }

  /**
   * The failure of a request.
   *
   * @param uri that was asked
   * @param status of the answer, not a success and not a redirect
   */
  HubFailure of(URI uri, int status, HttpHeaders headers) {
    String code = headers.firstValue("X-Error-Code").orElse("");
    if (!endpoint.owns(uri)) {
      // A store: the address that the hub gave may be too old, and the next one is not.
      return refused(status, true, headers, "%s answered %d".formatted(uri.getHost(), status));
    }
    return switch (status) {
      case 401, 403 -> refused(status, false, headers, noAccess(status, code, headers));
      case 404, 410 -> refused(status, false, headers, notThere(uri, code));
      case 407 ->
          refused(
              status,
              false,
              headers,
              "the proxy wants a user and a password, which dpo4j cannot give it; use another proxy");
      case 416 -> refused(status, true, headers, "%s has no such range".formatted(uri.getHost()));
      case 429 -> refused(status, true, headers, tooMany(pause(headers)));
      default ->
          refused(
              status,
              status == 408 || status >= 500,
              headers,
              "%s answered %d%s%s"
                  .formatted(
                      uri.getHost(),
                      status,
                      saying(headers),
                      status == 408 || status >= 500
                          ? ""
                          : "; check HF_ENDPOINT and https_proxy in the environment"));
    };
  }

  private static HubFailure refused(
      int status, boolean passing, HttpHeaders headers, String message) {
    return HubFailure.refused(message, status, passing, pause(headers));
  }

  private static String saying(HttpHeaders headers) {
    return headers.firstValue("X-Error-Message").map(": %s"::formatted).orElse("");
  }

  private String noAccess(int status, String code, HttpHeaders headers) {
    if (code.equals("GatedRepo")) {
      return "%s is gated: accept its terms at %s%s, then %s"
          .formatted(
              repository.name(),
              endpoint,
              repository.page(),
              endpoint.hasToken()
                  ? "repeat the command; the token in HF_TOKEN must be of the account that was given"
                      + " access, with the right to read gated repositories"
                  : "set HF_TOKEN in the environment to a token of that account (%s)"
                      .formatted(TOKENS));
    }
    if (endpoint.hasToken()) {
      return status == 403
          ? "the token in HF_TOKEN has no right to read %s; give it one at %s"
              .formatted(repository.name(), TOKENS)
          : "%s has no %s that the token in HF_TOKEN may read; check the name and the token (%s)"
              .formatted(endpoint, repository, TOKENS);
    }
    if (status == 403) {
      return ("%s refuses %s to a request without a token%s; if it is private or restricted, set"
              + " HF_TOKEN in the environment (%s); a filter of the network may answer so too")
          .formatted(endpoint, repository, saying(headers), TOKENS);
    }
    return "%s has no public %s; check the name%s; if it is private, set HF_TOKEN in the environment (%s)"
        .formatted(endpoint, repository, otherType(), TOKENS);
  }

  private String notThere(URI uri, String code) {
    if (code.equals("RevisionNotFound")) {
      return OptionText.of(
          "{revision} must be a branch, a tag or a commit of %s but it has no %s; see %s%s/tree/main",
          repository.name(), repository.revision(), endpoint, repository.page());
    }
    Matcher file = FILE.matcher(uri.getPath());
    if (file.find() && (code.isEmpty() || code.equals("EntryNotFound"))) {
      return OptionText.of(
          "%s lists %s but does not have it; try later, or choose the other files with {include}",
          endpoint, file.group(1));
    }
    return "%s has no %s; check the name%s".formatted(endpoint, repository, otherType());
  }

  private String otherType() {
    return repository.type() == RepositoryType.MODEL
        ? OptionText.of(", and pass {type} dataset for a data set")
        : OptionText.of(", and leave {type} out for a model");
  }

  private String tooMany(Duration pause) {
    return "%s limits the number of requests%s; repeat the command later%s"
        .formatted(
            endpoint,
            pause.isZero() ? "" : " and asks to wait " + TimeText.of((double) pause.toSeconds()),
            endpoint.hasToken()
                ? ""
                : ", or set HF_TOKEN in the environment, which has a limit of its own");
  }

  /** A number of seconds, or a date; zero for none. */
  private static Duration pause(HttpHeaders headers) {
    String text = headers.firstValue("Retry-After").orElse("").strip();
    if (text.matches("\\d{1,9}")) {
      return Duration.ofSeconds(Long.parseLong(text));
    }
    try {
      Duration until =
          Duration.between(
              Instant.now(),
              ZonedDateTime.parse(text, DateTimeFormatter.RFC_1123_DATE_TIME).toInstant());
      return until.isNegative() ? Duration.ZERO : until;
    } catch (DateTimeException e) {
      return Duration.ZERO;
    }
  }
}
