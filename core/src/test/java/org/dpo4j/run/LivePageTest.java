package org.dpo4j.run;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.dpo4j.run.RunFixture.fixture;
import static org.dpo4j.run.RunFixture.output;
import static org.dpo4j.run.RunFixture.text;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.dpo4j.DpoException;
import org.dpo4j.StepReport;
import org.dpo4j.TrainingControl;
import org.dpo4j.TrainingListener;
import org.dpo4j.UsageException;
import org.dpo4j.config.ReportConfig;
import org.dpo4j.config.TrainingConfig;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.json.JsonMapper;

/**
 * Closes: a live page that shows something else than the run, that others than this machine's
 * browsers read, that data changes into a script, or that changes the run.
 */
class LivePageTest {

  private static final Pattern ADDRESS =
      Pattern.compile("live page: (http://127\\.0\\.0\\.1:(\\d+)/)");
  private static final String HOSTILE = "</dd><script>alert(1)</script> \u202Eevil";

  private final Path folder;
  private final ByteArrayOutputStream out = new ByteArrayOutputStream();

  LivePageTest(@TempDir Path folder) {
    this.folder = folder;
  }

  @Test
  void showsTheRunWhileItLives() {
    List<String> pages = new ArrayList<>();
    train(
        Map.of(
            "ui",
            true,
            "eval_split",
            8,
            "eval_strategy",
            "steps",
            "eval_steps",
            2,
            "sample_prompts",
            prompts("Name a fruit."),
            "learning_rate",
            1e-3),
        at(
            5,
            port -> {
              pages.add(get(port, "/"));
              pages.add(get(port, "/pairs"));
            }));

    assertThat(body(pages.get(0)))
        .contains("<dt>step</dt><dd><bdi>5 of 6</bdi></dd>")
        .contains("<dt>epoch</dt>", "<dt>time left</dt>", "pairs/s", "tokens/s", "peak memory")
        .contains("What the curves say", "Training loss 0.6931 -&gt; ")
        .contains("aria-label=\"Loss: train ", ", eval ")
        .contains("<bdi>step 4</bdi>", "<bdi>step 0</bdi>")
        .contains(
            "<dd><bdi>Name a fruit.</bdi></dd>", "<dt>before training</dt>", "<dt>step 4</dt>")
        .contains("<summary>answers in between</summary>")
        .contains("Pairs with the lowest margins", "pairs32.jsonl:");
    assertThat(body(pages.get(1))).contains("<dt>chosen</dt><dd><bdi>", "at step ");
    assertThat(text(out)).doesNotContain("warning");
    Matcher address = address();
    assertThatThrownBy(
            () -> new Socket(InetAddress.getLoopbackAddress(), Integer.parseInt(address.group(2))))
        .isInstanceOf(IOException.class);
  }

  @Test
  void answersThisMachinesBrowsersAlone() {
    Map<String, String> answers = new LinkedHashMap<>();
    train(
        Map.of("ui", true),
        at(
            2,
            port -> {
              String local = "Host: 127.0.0.1:" + port + "\r\n";
              answers.put(
                  "own", ask(port, "GET /", local + "Origin: http://127.0.0.1:" + port + "\r\n"));
              answers.put("localhost", ask(port, "GET /", "Host: localhost:" + port + "\r\n"));
              answers.put("rebound", ask(port, "GET /", "Host: evil.example\r\n"));
              answers.put("foreign", ask(port, "GET /", local + "Origin: http://evil.example\r\n"));
              answers.put("post", ask(port, "POST /", local + "Content-Length: 0\r\n"));
              answers.put("path", ask(port, "GET /../../etc/passwd", local));
              answers.put("head", ask(port, "HEAD /", local));
              Matcher tag =
                  Pattern.compile("(?i)Etag: (.*)\r").matcher(ask(port, "GET /pairs", local));
              assertThat(tag.find()).isTrue();
              answers.put(
                  "same",
                  ask(port, "GET /pairs", local + "If-None-Match: " + tag.group(1) + "\r\n"));
            }));

    assertThat(answers.get("own")).startsWith("HTTP/1.1 200").contains("</html>");
    assertThat(answers.get("localhost")).startsWith("HTTP/1.1 200");
    assertThat(answers.get("rebound")).startsWith("HTTP/1.1 403").doesNotContain("pairs32");
    assertThat(answers.get("foreign")).startsWith("HTTP/1.1 403").doesNotContain("pairs32");
    assertThat(answers.get("post"))
        .startsWith("HTTP/1.1 405")
        .containsIgnoringCase("Allow: GET, HEAD");
    assertThat(answers.get("path")).startsWith("HTTP/1.1 40");
    assertThat(answers.get("head")).startsWith("HTTP/1.1 200").doesNotContain("</html>");
    assertThat(answers.get("same")).startsWith("HTTP/1.1 304");
    answers
        .values()
        .forEach(answer -> assertThat(answer).containsIgnoringCase("X-Frame-Options: DENY"));
  }

  @Test
  void dataIsShownAndNotObeyed() throws IOException {
    List<String> pages = new ArrayList<>();
    train(
        Map.of("ui", true, "data_file", hostile(), "sample_prompts", prompts(HOSTILE)),
        at(
            4,
            port -> {
              pages.add(body(get(port, "/")));
              pages.add(body(get(port, "/pairs")));
            }));
    assertThat(pages)
        .allSatisfy(
            page ->
                assertThat(page)
                    .contains("&lt;/dd&gt;&lt;script&gt;alert(1)&lt;/script&gt; \\u202eevil")
                    .doesNotContain("<script>alert", "\u202E"));
  }

  @Test
  void thePageChangesNoWeight() throws IOException {
    train(Map.of());
    byte[] without = Files.readAllBytes(folder.resolve("run/model.safetensors"));
    train(
        Map.of(
            "ui", true, "overwrite_output_dir", true, "sample_prompts", prompts("Name a fruit.")),
        at(3, port -> get(port, "/")));
    assertThat(Files.readAllBytes(folder.resolve("run/model.safetensors"))).isEqualTo(without);
  }

  @Test
  void aContinuedRunShowsTheCurveFromItsStart() {
    List<String> pages = new ArrayList<>();
    train(Map.of("save_steps", 3));
    train(
        Map.of("ui", true, "resume_from_checkpoint", folder.resolve("run/checkpoint-3")),
        at(5, port -> pages.add(body(get(port, "/")))));
    assertThat(pages.get(0)).contains("<bdi>5 of 6</bdi>").contains("Training loss 0.6931");
  }

  @Test
  void faultsAreToldBeforeTheFirstStep() throws IOException {
    try (ServerSocket taken = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
      int port = taken.getLocalPort();
      assertThatThrownBy(() -> train(Map.of("ui", port)))
          .isInstanceOf(UsageException.class)
          .hasMessageStartingWith("ui must be free on 127.0.0.1 but was " + port);
    }
    assertThatThrownBy(() -> train(Map.of("ui", 70_000)))
        .isInstanceOf(UsageException.class)
        .hasMessageContaining("a port up to 65535");
    assertThatThrownBy(() -> train(Map.of("sample_prompts", folder.resolve("none.txt"))))
        .isInstanceOf(UsageException.class)
        .hasMessageContaining("sample_prompts")
        .hasMessageContaining("none.txt");
    assertThatThrownBy(() -> train(Map.of("sample_prompts", prompts(""))))
        .isInstanceOf(DpoException.class)
        .hasMessageContaining("must hold at least one prompt");
    assertThatThrownBy(() -> train(Map.of("sample_prompts", -1)))
        .isInstanceOf(UsageException.class)
        .hasMessageContaining("a whole number from 0, or a path");
    assertThat(folder.resolve("run")).doesNotExist();
  }

  @Test
  void reportServesTheFinishedRun() {
    train(Map.of("eval_split", 8));
    List<String> answers = new ArrayList<>();
    ReportRun.run(
        ReportConfig.of(Map.of("run", folder.resolve("run"), "serve", true)),
        output(out),
        server -> {
          int port = URI.create(server.url()).getPort();
          answers.add(get(port, "/"));
          answers.add(get(port, "/report.html"));
        });
    assertThat(answers.get(0)).startsWith("HTTP/1.1 200").contains("Did it work?");
    assertThat(answers.get(1)).startsWith("HTTP/1.1 404");
    assertThat(folder.resolve("run/report.html")).doesNotExist();
    assertThat(text(out)).contains("the report is at http://127.0.0.1:");
    assertThatThrownBy(
            () ->
                ReportConfig.of(
                    Map.of("run", folder, "serve", true, "output", folder.resolve("page.html"))))
        .isInstanceOf(UsageException.class)
        .hasMessageContaining("leave out output");
  }

  @Test
  void theAnswersOfTheRunAreInItsFolderAndReport() throws IOException {
    Path prompts = prompts("Name a fruit.");
    Map<String, Object> options =
        Map.of(
            "sample_prompts",
            prompts,
            "eval_split",
            8,
            "eval_strategy",
            "steps",
            "eval_steps",
            2,
            "save_steps",
            4);
    train(options);
    Path file = folder.resolve("run/samples.jsonl");
    List<String> whole = Files.readAllLines(file);
    assertThat(whole).hasSize(4);
    for (int i = 0; i < 4; i++) {
      assertThat(whole.get(i))
          .startsWith("{\"step\":%d,\"prompt\":\"Name a fruit.\"".formatted(2 * i));
    }
    Map<String, Object> again = new LinkedHashMap<>(options);
    again.put("resume_from_checkpoint", folder.resolve("run/checkpoint-4"));
    train(again);
    assertThat(Files.readAllLines(file)).isEqualTo(whole);

    ReportRun.run(ReportConfig.of(Map.of("run", folder.resolve("run"))), output(out));
    assertThat(Files.readString(folder.resolve("run/report.html")))
        .contains("Sample answers", "<dt>before training</dt>", "<dt>step 6</dt>", "between");
    Files.writeString(file, "{\"step\":1}\n");
    assertThatThrownBy(
            () -> ReportRun.run(ReportConfig.of(Map.of("run", folder.resolve("run"))), output(out)))
        .isInstanceOf(DpoException.class)
        .hasMessageContaining("samples.jsonl:1] must have a step, a prompt and an answer");
  }

  private Path prompts(String text) {
    try {
      return Files.writeString(folder.resolve("prompts.txt"), text + "\n");
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private Path hostile() throws IOException {
    List<String> lines = new ArrayList<>();
    for (int i = 0; i < 8; i++) {
      lines.add(
          JsonMapper.shared()
              .writeValueAsString(
                  Map.of(
                      "prompt", HOSTILE + i, "chosen", "yes " + HOSTILE, "rejected", "no " + i)));
    }
    return Files.write(folder.resolve("hostile.jsonl"), lines);
  }

  /** Does something with the page's port after a step. */
  private TrainingListener at(int step, Consumer<Integer> action) {
    return new TrainingListener() {
      @Override
      public void onStep(StepReport report, TrainingControl control) {
        if (report.step() == step) {
          action.accept(Integer.parseInt(address().group(2)));
        }
      }
    };
  }

  private Matcher address() {
    Matcher matcher = ADDRESS.matcher(text(out));
    assertThat(matcher.find()).as(text(out)).isTrue();
    return matcher;
  }

  private static String get(int port, String path) {
    String answer = ask(port, "GET " + path, "Host: 127.0.0.1:" + port + "\r\n");
    return answer;
  }

  private static String body(String answer) {
    assertThat(answer).startsWith("HTTP/1.1 200");
    return answer.substring(answer.indexOf("\r\n\r\n"));
  }

  /** Headers that Java's client would not send need a socket. */
  private static String ask(int port, String request, String headers) {
    try (Socket socket = new Socket(InetAddress.getLoopbackAddress(), port)) {
      socket
          .getOutputStream()
          .write(
              (request + " HTTP/1.1\r\n" + headers + "Connection: close\r\n\r\n")
                  .getBytes(StandardCharsets.US_ASCII));
      return new String(socket.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private void train(Map<String, Object> options, TrainingListener... listeners) {
    Map<String, Object> all = new LinkedHashMap<>();
    all.put("model", fixture("models/llama"));
    all.put("data_file", fixture("pairs32.jsonl"));
    all.put("output_dir", folder.resolve("run"));
    all.put("reference_cache", folder.resolve("cache"));
    all.put("max_steps", 6);
    all.put("logging_steps", 1);
    all.put("per_device_train_batch_size", 2);
    all.put("sample_prompts", 0);
    all.put("threads", 1);
    all.put("max_length", 128);
    all.putAll(options);
    TrainingRun.run(TrainingConfig.of(all), output(out), listeners);
  }
}
