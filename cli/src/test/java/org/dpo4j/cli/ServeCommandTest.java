package org.dpo4j.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.net.Socket;
import java.net.SocketException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.DisabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * Closes: a server that a signal does not end, or ends without a word or with a wrong exit code.
 */
@DisabledOnOs(OS.WINDOWS)
class ServeCommandTest {

  private static final Pattern ADDRESS = Pattern.compile("serving mine on (http://\\S+/v1):");

  private final Path log;

  ServeCommandTest(@TempDir Path folder) {
    log = folder.resolve("log");
  }

  @ParameterizedTest
  @CsvSource({"INT,130", "TERM,143"})
  void aSignalStopsTheServer(String signal, int code) throws Exception {
    Process process =
        Subprocess.start(
            log,
            List.of(
                "serve",
                "--model",
                "../examples/tiny-chat",
                "--port",
                "0",
                "--served_model_name",
                "mine"));
    try {
      String url = address(process);
      HttpResponse<String> response =
          HttpClient.newHttpClient()
              .send(
                  HttpRequest.newBuilder(URI.create(url + "/models")).build(),
                  HttpResponse.BodyHandlers.ofString());
      assertThat(response.body()).contains("\"id\":\"mine\"");
      List<String> kill = List.of("kill", "-" + signal, Long.toString(process.pid()));
      assertThat(new ProcessBuilder(kill).start().waitFor()).isZero();
      assertThat(process.waitFor(1, TimeUnit.MINUTES)).isTrue();
      assertThat(process.exitValue()).isEqualTo(code);
      assertThat(Files.readString(log))
          .contains("for trying out and small services")
          .endsWith("stopped: no request is answered any more\n");
    } finally {
      process.destroyForcibly();
    }
  }

  /** The limit is 30 seconds by default; it also holds for a body that does not come. */
  @Test
  void aRequestThatDoesNotArriveInTimeIsClosed() throws Exception {
    Process process =
        Subprocess.of(
                log,
                List.of("-Dsun.net.httpserver.maxReqTime=1"),
                List.of(
                    "serve",
                    "--model",
                    "../examples/tiny-chat",
                    "--port",
                    "0",
                    "--served_model_name",
                    "mine"))
            .start();
    try {
      URI url = URI.create(address(process));
      for (String part :
          List.of(
              "GET /health HTTP/1.1\r\nHost: loc",
              "POST /v1/completions HTTP/1.1\r\nContent-Type: application/json\r\n"
                  + "Content-Length: 9\r\n\r\n{")) {
        try (Socket socket = new Socket(url.getHost(), url.getPort())) {
          socket.setSoTimeout(60_000);
          socket.getOutputStream().write(part.getBytes(StandardCharsets.US_ASCII));
          assertThat(closed(socket)).isTrue();
        }
      }
    } finally {
      process.destroyForcibly();
    }
  }

  private static boolean closed(Socket socket) throws IOException {
    try {
      return socket.getInputStream().read() < 0;
    } catch (SocketException e) {
      return true; // reset
    }
  }

  private String address(Process process) throws IOException, InterruptedException {
    long deadline = System.nanoTime() + TimeUnit.MINUTES.toNanos(2);
    while (true) {
      String text = Files.exists(log) ? Files.readString(log) : "";
      Matcher found = ADDRESS.matcher(text);
      if (found.find()) {
        return found.group(1);
      }
      assertThat(process.isAlive()).as(text).isTrue();
      assertThat(System.nanoTime()).as(text).isLessThan(deadline);
      TimeUnit.MILLISECONDS.sleep(50);
    }
  }
}
