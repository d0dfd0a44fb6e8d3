package org.dpo4j.run;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import org.dpo4j.config.DoctorConfig;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Closes: a page of {@code doctor} that contradicts itself, or what {@code train} said. */
class DoctorRunTest {
  private final Path folder;

  DoctorRunTest(@TempDir Path folder) throws IOException {
    this.folder = folder;
    Files.writeString(
        folder.resolve("trainer_state.json"),
        """
        {"log_history": [
          {"step": 4, "loss": 0.68, "rewards/accuracies": 1.0, "rewards/margins": 0.02},
          {"step": 8, "loss": 0.66, "rewards/accuracies": 1.0, "rewards/margins": 0.06}]}
        """);
  }

  @Test
  void theLossStartsWhereTrainSaysThatItDid() throws IOException {
    assertThat(doctor()).contains("training loss 0.68 -> 0.66 ");

    Files.writeString(
        folder.resolve("dpo4j.yaml"), "model: m\ndata_file: pairs.jsonl\noutput_dir: out\n");
    assertThat(doctor()).contains("training loss 0.6931 -> 0.66 ");

    // Options that cannot be read.
    Files.writeString(folder.resolve("dpo4j.yaml"), "loss_type: ipo\n");
    assertThat(doctor())
        .contains("dpo4j.yaml] is not used")
        .contains("training loss 0.68 -> 0.66 ");
  }

  /** The loss of its routers is in the logged loss, and theory does not know it. */
  @Test
  void theLossOfAMixtureOfExpertsStartsWhereItWasLogged() throws IOException {
    Path model = Files.createDirectories(folder.resolve("model"));
    Files.writeString(
        folder.resolve("dpo4j.yaml"),
        "model: %s\ndata_file: pairs.jsonl\noutput_dir: out\n".formatted(model));
    String config =
        """
        {"model_type": "mixtral", "vocab_size": 320, "hidden_size": 32, "intermediate_size": 48,
         "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2,
         "num_local_experts": 4, "num_experts_per_tok": 2, "router_aux_loss_coef": %s}
        """;
    Files.writeString(model.resolve("config.json"), config.formatted("0.02"));
    assertThat(doctor()).contains("training loss 0.68 -> 0.66 ");
    Files.writeString(model.resolve("config.json"), config.formatted("0"));
    assertThat(doctor()).contains("training loss 0.6931 -> 0.66 ");
  }

  @Test
  void ofAShortRunItDoesNotSayThatAllIsWell() throws IOException {
    assertThat(doctor())
        .contains("nothing is conspicuous, but the run is too short to tell much\n");

    Path state = folder.resolve("trainer_state.json");
    Files.writeString(state, Files.readString(state).replace("\"step\": 8", "\"step\": 20"));
    assertThat(doctor()).contains("nothing is conspicuous\n");
  }

  /** As {@code train} has written it: the lengths are in the first evaluation. */
  @Test
  void aPreferenceThatFollowsLengthIsReadFromTheLedger() throws IOException {
    String line =
        "{\"step\":%d,\"epoch\":0,\"set\":\"eval\",\"file\":\"f\",\"rows\":%s,\"margins\":%s,\"losses\":%s%s}\n";
    String rows = "[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15]";
    String start = "[0,0,0,0,0,0,0,0,0,0,0,0,0,0,0]";
    String end = "[1,1,1,1,1,1,1,1,1,1,-1,-1,-1,-1,1]";
    Files.writeString(
        folder.resolve("ledger.jsonl"),
        line.formatted(
                0,
                rows,
                start,
                start,
                ",\"chosen_tokens\":[9,9,9,9,9,9,9,9,9,9,5,5,5,5,5]"
                    + ",\"rejected_tokens\":[7,7,7,7,7,7,7,7,7,7,7,7,7,7,7]")
            + line.formatted(8, rows, end, end, ""));
    assertThat(doctor().replaceAll("\\s+", " "))
        .contains(
            "1 symptom: - the preference follows length: of the held-out pairs whose chosen answer"
                + " is longer 100 % are right (10 pairs, mean margin +1.00), of those whose chosen"
                + " answer is shorter 20 % (5 pairs, -0.60)");
  }

  private String doctor() {
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    DoctorRun.run(DoctorConfig.of(Map.of("run", folder)), RunFixture.output(out));
    return RunFixture.text(out);
  }
}
