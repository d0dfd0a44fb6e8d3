package org.dpo4j.reference;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.Map;
import java.util.Optional;
import org.dpo4j.weights.Checkpoint;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Closes: a reference whose files changed and whose identity did not. */
class ReferenceFilesTest {

  private static final Path LLAMA = Path.of("src/test/resources/fixtures/models/llama");

  @Test
  void aModelIsIdentifiedByItsWeightsAndItsConfig() throws IOException, NoSuchAlgorithmException {
    ReferenceFiles files = ReferenceFiles.of("model", LLAMA, Optional.empty());
    assertThat(files)
        .isEqualTo(
            new ReferenceFiles(
                Checkpoint.open(LLAMA).sha256(),
                sha256(LLAMA.resolve("config.json")),
                Optional.empty()));
  }

  @Test
  void theTextSideIsTheFilesOfTokenizerAndTemplateThatAreThere(@TempDir Path folder)
      throws IOException, NoSuchAlgorithmException {
    assertThat(ReferenceFiles.textSide(folder)).isEmpty();
    Path tokenizer = Files.writeString(folder.resolve("tokenizer.json"), "{}");
    Path template = Files.writeString(folder.resolve("chat_template.jinja"), "{{ x }}");
    Files.writeString(folder.resolve("config.json"), "{}");
    assertThat(ReferenceFiles.textSide(folder))
        .isEqualTo(
            Map.of("tokenizer.json", sha256(tokenizer), "chat_template.jinja", sha256(template)));
  }

  private static String sha256(Path file) throws IOException, NoSuchAlgorithmException {
    return HexFormat.of()
        .formatHex(MessageDigest.getInstance("SHA-256").digest(Files.readAllBytes(file)));
  }
}
