package org.dpo4j.tracking;

import java.net.ProxySelector;
import java.net.URI;
import java.net.URISyntaxException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Base64;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.UnaryOperator;
import org.dpo4j.UsageException;
import org.dpo4j.data.BoundedJson;
import org.dpo4j.hub.EnvironmentProxy;
import org.dpo4j.hub.HubEndpoint;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.JsonNode;

/**
 * Where an MLflow tracking server is, who asks, and which run is meant: the variables of the
 * environment that MLflow and transformers read.
 */
public final class MlflowServer {
  static final String ADDRESS = "MLFLOW_TRACKING_URI";
  static final String RUN = "MLFLOW_RUN_ID";
  private static final String EXPERIMENT = "MLFLOW_EXPERIMENT_NAME";
  private static final String EXPERIMENT_ID = "MLFLOW_EXPERIMENT_ID";
  private static final String TOKEN = "MLFLOW_TRACKING_TOKEN";
  private static final String USER = "MLFLOW_TRACKING_USERNAME";
  private static final String PASSWORD = "MLFLOW_TRACKING_PASSWORD";
  private static final String TAGS = "MLFLOW_TAGS";

  /** MLflow's experiment for runs that name none. */
  private static final String USUAL_EXPERIMENT = "Default";

  private final URI base;
  private final Optional<String> authorization;
  private final List<String> secrets;
  private final Map<String, String> environment;
  private final Map<String, String> tags;
  private final ProxySelector proxies;

  private MlflowServer(
      URI base,
      Optional<String> authorization,
      List<String> secrets,
      Map<String, String> environment,
      Map<String, String> tags) {
    this.base = base;
    this.authorization = authorization;
    this.secrets = secrets;
    this.environment = environment;
    this.tags = tags;
    this.proxies = EnvironmentProxy.of(environment);
  }

  /**
   * The server that an environment names.
   *
   * @param environment variables by name, as {@link System#getenv()}
   * @throws UsageException if it names none, or a variable has a value that cannot be used
   */
  public static MlflowServer of(Map<String, String> environment) {
    UnaryOperator<String> value = name -> environment.getOrDefault(name, "").strip();
    String address = value.apply(ADDRESS);
    if (address.isEmpty()) {
      throw new UsageException(
          "report_to",
          "mlflow needs the address of a tracking server in the environment",
          ADDRESS + " is not set",
          "set it, for example %s=http://localhost:5000, where mlflow server listens"
              .formatted(ADDRESS));
    }
    URI base = base(address);
    List<String> secrets = new ArrayList<>();
    Optional<String> authorization = Optional.empty();
    String user = value.apply(USER);
    String password = value.apply(PASSWORD);
    String token = value.apply(TOKEN);
    if (user.isEmpty() != password.isEmpty()) {
      throw new UsageException(
          "%s and %s in the environment belong together, but only one is set; set both, or %s"
              .formatted(USER, PASSWORD, TOKEN));
    }
    if (!user.isEmpty()) { // wins over a token, as in MLflow
      String both =
          Base64.getEncoder()
              .encodeToString((user + ":" + password).getBytes(StandardCharsets.UTF_8));
      secrets.addAll(List.of(both, password));
      authorization = Optional.of("Basic " + both);
    } else if (!token.isEmpty()) {
      if (!token.chars().allMatch(c -> c > ' ' && c < 0x7f)) {
        // The value is a secret: the message does not show it.
        throw new UsageException(
            TOKEN
                + " in the environment must be one word of ASCII letters and signs; copy it"
                + " again");
      }
      secrets.add(token);
      authorization = Optional.of("Bearer " + token);
    }
    return new MlflowServer(
        base,
        authorization,
        List.copyOf(secrets),
        Map.copyOf(environment),
        tags(value.apply(TAGS)));
  }

  private static URI base(String address) {
    URI uri;
    try {
      uri = new URI(address.replaceAll("/+$", ""));
    } catch (URISyntaxException e) {
      throw wrong("was no address"); // it may hold a password: neither it nor the cause is shown
    }
    if (uri.getRawUserInfo() != null) {
      throw new UsageException(
          "%s in the environment must hold no user and password; set %s and %s, or %s"
              .formatted(ADDRESS, USER, PASSWORD, TOKEN));
    }
    boolean web =
        "http".equalsIgnoreCase(uri.getScheme()) || "https".equalsIgnoreCase(uri.getScheme());
    if (!web
        || uri.getHost() == null
        || uri.getRawQuery() != null
        || uri.getRawFragment() != null) {
      throw wrong("was " + address);
    }
    return uri;
  }

  private static UsageException wrong(String found) {
    return new UsageException(
        "%s in the environment must be an address such as http://localhost:5000 but %s; for runs in a folder or a data base start mlflow server on it"
            .formatted(ADDRESS, found));
  }

  private static Map<String, String> tags(String text) {
    if (text.isEmpty()) {
      return Map.of();
    }
    JsonNode tags;
    try {
      tags = BoundedJson.LENIENT.readTree(text);
    } catch (JacksonException e) {
      tags = BoundedJson.LENIENT.nullNode();
    }
    if (!tags.isObject()) {
      throw new UsageException(
          TAGS
              + " in the environment must be a JSON object of texts, as in {\"team\": \"search\"},"
              + " but is something else; correct or unset it");
    }
    Map<String, String> read = new LinkedHashMap<>();
    tags.properties()
        .forEach(
            tag ->
                read.put(
                    tag.getKey(),
                    tag.getValue().isString()
                        ? tag.getValue().stringValue()
                        : tag.getValue().toString()));
    return read;
  }

  /**
   * An address of the server's interface.
   *
   * @param path behind {@code api/2.0/mlflow/}, percent-encoded
   */
  URI at(String path) {
    return URI.create(base + "/api/2.0/mlflow/" + path);
  }

  /** The page of a run. */
  String page(String experiment, String run) {
    return "%s/#/experiments/%s/runs/%s".formatted(base, experiment, run);
  }

  /** The header of each request; empty for none. */
  Optional<String> authorization() {
    return authorization;
  }

  /** Whether a secret travels unencrypted to another machine. */
  boolean exposesSecret() {
    return authorization.isPresent()
        && "http".equalsIgnoreCase(base.getScheme())
        && !HubEndpoint.isThisMachine(base);
  }

  /** A text of the server, in which no secret is shown. */
  String withoutSecrets(String text) {
    String shown = text;
    for (String secret : secrets) {
      shown = shown.replace(secret, "***");
    }
    return shown;
  }

  /** The name of the experiment; empty if its id is given alone. */
  Optional<String> experiment() {
    Optional<String> named = given(EXPERIMENT);
    return named.isPresent() || experimentId().isPresent() ? named : Optional.of(USUAL_EXPERIMENT);
  }

  /** The id of the experiment, if it is given. */
  Optional<String> experimentId() {
    return given(EXPERIMENT_ID);
  }

  /** The run that is to be continued, if one is given. */
  Optional<String> run() {
    return given(RUN);
  }

  /** What the user wants to mark the run with. */
  Map<String, String> tags() {
    return tags;
  }

  ProxySelector proxies() {
    return proxies;
  }

  private Optional<String> given(String name) {
    return Optional.of(environment.getOrDefault(name, "").strip())
        .filter(value -> !value.isEmpty());
  }

  /** The address. */
  @Override
  public String toString() {
    return base.toString();
  }
}
