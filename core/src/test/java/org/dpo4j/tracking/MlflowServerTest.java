package org.dpo4j.tracking;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.LinkedHashMap;
import java.util.Map;
import org.dpo4j.UsageException;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Closes: an address or a secret that is taken for another one, or shown. */
class MlflowServerTest {

  private static MlflowServer server(String... variables) {
    Map<String, String> environment = new LinkedHashMap<>();
    for (int i = 0; i < variables.length; i += 2) {
      environment.put(variables[i], variables[i + 1]);
    }
    environment.putIfAbsent("MLFLOW_TRACKING_URI", "http://localhost:5000");
    return MlflowServer.of(environment);
  }

  @Test
  void anAddressMayHaveAPathAndASlashAtItsEnd() {
    MlflowServer server = server("MLFLOW_TRACKING_URI", " https://example.org/ml/ ");
    assertThat(server).hasToString("https://example.org/ml");
    assertThat(server.at("runs/create"))
        .hasToString("https://example.org/ml/api/2.0/mlflow/runs/create");
    assertThat(server.page("3", "abc"))
        .isEqualTo("https://example.org/ml/#/experiments/3/runs/abc");
  }

  @ParameterizedTest
  @CsvSource({
    "sqlite:///mlflow.db",
    "./mlruns",
    "file:///tmp/mlruns",
    "databricks",
    "localhost:5000",
    "ftp://localhost/",
    "http://localhost:5000/?a=b",
    "http://localhost:5000/#/experiments",
  })
  void whatIsNoServerOfTheWebIsRefused(String address) {
    assertThatThrownBy(() -> server("MLFLOW_TRACKING_URI", address))
        .isInstanceOf(UsageException.class)
        .hasMessageStartingWith("MLFLOW_TRACKING_URI in the environment must be an address such as")
        .hasMessageContaining("but was " + address);
    assertThatThrownBy(() -> server("MLFLOW_TRACKING_URI", "http://"))
        .hasMessageContaining("but was no address");
  }

  @Test
  void aSecretIsSentAndNotShown() {
    assertThat(server().authorization()).isEmpty();
    assertThat(server("MLFLOW_TRACKING_TOKEN", "t0ken").authorization()).contains("Bearer t0ken");
    MlflowServer both =
        server(
            "MLFLOW_TRACKING_USERNAME", "ann",
            "MLFLOW_TRACKING_PASSWORD", "päss",
            "MLFLOW_TRACKING_TOKEN", "t0ken");
    assertThat(both.authorization()).contains("Basic YW5uOnDDpHNz"); // as MLflow: it wins
    assertThat(both.withoutSecrets("no päss, YW5uOnDDpHNz")).isEqualTo("no ***, ***");
    assertThat(both.toString()).isEqualTo("http://localhost:5000");
  }

  @Test
  void whatIsWrongWithASecretIsSaidWithoutIt() {
    assertThatThrownBy(() -> server("MLFLOW_TRACKING_TOKEN", "two words"))
        .isInstanceOf(UsageException.class)
        .hasMessageStartingWith("MLFLOW_TRACKING_TOKEN in the environment must be one word")
        .hasMessageNotContaining("two words");
    assertThatThrownBy(() -> server("MLFLOW_TRACKING_PASSWORD", "hidden"))
        .isInstanceOf(UsageException.class)
        .hasMessageContaining("only one is set")
        .hasMessageNotContaining("hidden");
    for (String address : new String[] {"http://ann:hidden@host", "http://ann:hid den@host"}) {
      assertThatThrownBy(() -> server("MLFLOW_TRACKING_URI", address))
          .isInstanceOf(UsageException.class)
          .hasMessageNotContaining("hid")
          .hasNoCause();
    }
  }

  @Test
  void aSecretOverPlainHttpIsNoticedUnlessItStaysOnThisMachine() {
    String[] token = {"MLFLOW_TRACKING_TOKEN", "t", "MLFLOW_TRACKING_URI", ""};
    for (String exposing : new String[] {"http://ml.example.org", "http://10.0.0.7:5000"}) {
      token[3] = exposing;
      assertThat(server(token).exposesSecret()).as(exposing).isTrue();
      assertThat(server("MLFLOW_TRACKING_URI", exposing).exposesSecret()).isFalse();
    }
    for (String safe : new String[] {"https://ml.example.org", "http://localhost:5000"}) {
      token[3] = safe;
      assertThat(server(token).exposesSecret()).as(safe).isFalse();
    }
  }

  @Test
  void theExperimentIsNamedOrHasAnIdOrIsMlflowsDefault() {
    assertThat(server().experiment()).contains("Default");
    assertThat(server("MLFLOW_EXPERIMENT_ID", "7").experiment()).isEmpty();
    assertThat(server("MLFLOW_EXPERIMENT_ID", "7").experimentId()).contains("7");
    assertThat(server("MLFLOW_EXPERIMENT_NAME", "chat").experiment()).contains("chat");
  }

  @Test
  void tagsAreAJsonObject() {
    assertThat(server("MLFLOW_TAGS", "{\"a\": \"b\", \"n\": 1}").tags())
        .containsExactly(Map.entry("a", "b"), Map.entry("n", "1"));
    for (String wrong : new String[] {"a=b", "[1]", "{\"a\""}) {
      assertThatThrownBy(() -> server("MLFLOW_TAGS", wrong))
          .isInstanceOf(UsageException.class)
          .hasMessageStartingWith("MLFLOW_TAGS in the environment must be a JSON object of texts");
    }
  }
}
