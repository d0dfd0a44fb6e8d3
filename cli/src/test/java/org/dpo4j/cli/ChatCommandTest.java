package org.dpo4j.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.DisabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;

/**
 * Closes: a Ctrl-C that ends the program instead of an answer, or neither; an end of the input that
 * is not the end of the conversation.
 */
@DisabledOnOs(OS.WINDOWS)
class ChatCommandTest {

  private static final Path TINY_CHAT = Path.of("../examples/tiny-chat");

  private final Path folder;
  private final Path log;
  private Process process;

  ChatCommandTest(@TempDir Path folder) {
    this.folder = folder;
    this.log = folder.resolve("log");
  }

  /** A model with a context that takes minutes to fill, and which hardly ends its answers. */
  @BeforeEach
  void start() throws IOException {
    Path model = Files.createDirectories(folder.resolve("model"));
    try (var files = Files.list(TINY_CHAT)) {
      for (Path file : files.toList()) {
        Files.copy(file, model.resolve(file.getFileName()));
      }
    }
    Path config = model.resolve("config.json");
    Files.writeString(
        config,
        Files.readString(config)
            .replace("\"max_position_embeddings\": 1024", "\"max_position_embeddings\": 100000"));
    process =
        Subprocess.start(
            log,
            List.of(
                "chat",
                "--model",
                model.toString(),
                "--max_new_tokens",
                "90000",
                "--temperature",
                "1000"));
  }

  @AfterEach
  void stop() {
    process.destroyForcibly();
  }

  private void say(String text) throws IOException {
    OutputStream in = process.getOutputStream();
    in.write((text + "\n").getBytes(StandardCharsets.UTF_8));
    in.flush();
  }

  private String log() throws IOException {
    return Files.exists(log) ? new String(Files.readAllBytes(log), StandardCharsets.UTF_8) : "";
  }

  private void awaitInLog(String text) throws Exception {
    long deadline = System.nanoTime() + TimeUnit.MINUTES.toNanos(2);
    while (!log().contains(text)) {
      assertThat(process.isAlive()).as(log()).isTrue();
      assertThat(System.nanoTime()).as(log()).isLessThan(deadline);
      TimeUnit.MILLISECONDS.sleep(20);
    }
  }

  private void awaitAnswer() throws Exception {
    int before = log().length();
    long deadline = System.nanoTime() + TimeUnit.MINUTES.toNanos(2);
    while (log().length() == before) {
      assertThat(System.nanoTime()).as(log()).isLessThan(deadline);
      TimeUnit.MILLISECONDS.sleep(5);
    }
  }

  private void interrupt() throws Exception {
    List<String> kill = List.of("kill", "-INT", Long.toString(process.pid()));
    assertThat(new ProcessBuilder(kill).start().waitFor()).isZero();
  }

  private int code() throws InterruptedException {
    assertThat(process.waitFor(1, TimeUnit.MINUTES)).isTrue();
    return process.exitValue();
  }

  @Test
  void ctrlCStopsAnAnswerAndTheConversationGoesOn() throws Exception {
    say("/help");
    awaitInLog("Ctrl-C stops an answer".replace("Ctrl-C ", "Ctrl-C            "));
    say("Hello");
    awaitAnswer();
    interrupt();
    awaitInLog("the answer was stopped");
    say("/params max_new_tokens=3");
    awaitInLog("max_new_tokens=3");
    say("Hello again");
    awaitInLog("the answer was cut at 3 tokens");
    process.getOutputStream().close();
    assertThat(code()).as(log()).isZero();
  }

  @Test
  void ctrlCAtThePromptEndsTheProgram() throws Exception {
    say("/help");
    awaitInLog("/reset");
    interrupt();
    assertThat(code()).as(log()).isEqualTo(130);
  }
}
