package org.dpo4j.run;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.dpo4j.run.RunFixture.output;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.net.Socket;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import org.dpo4j.UsageException;
import org.dpo4j.config.GenerateConfig;
import org.dpo4j.config.ServeConfig;
import org.dpo4j.options.Limit;
import org.dpo4j.serve.Server;
import org.dpo4j.torch.TensorScope;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.DisabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/**
 * Closes: an answer that differs from that of generate, or whole from streamed; a request that is
 * malformed, too large, without a key or from a web page and is answered; a field that would change
 * the answer and is ignored; a client that leaves and is generated for; a thread, connection or
 * tensor that stays.
 */
class ServeRunTest {

  private static final Path TINY_CHAT = Path.of("..", "examples", "tiny-chat");
  private static final String KEY = "0123456789abcdef";
  private static final JsonMapper JSON = JsonMapper.shared();
  private static final String HELLO = "[{\"role\": \"user\", \"content\": \"Hello\"}]";

  private final HttpClient client =
      HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).build();
  private final ByteArrayOutputStream out = new ByteArrayOutputStream();
  private final Path folder;
  private @Nullable Server started;

  ServeRunTest(@TempDir Path folder) {
    this.folder = folder;
  }

  private Server server() {
    return Objects.requireNonNull(started);
  }

  private interface Work {
    void run() throws Exception;
  }

  @AfterEach
  void noThreadStays() throws InterruptedException {
    long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(20);
    while (names().stream().anyMatch(name -> name.startsWith("serve-") || name.equals("model"))) {
      assertThat(System.nanoTime()).as("threads %s", names()).isLessThan(deadline);
      TimeUnit.MILLISECONDS.sleep(10);
    }
  }

  private static List<String> names() {
    return Thread.getAllStackTraces().keySet().stream().map(Thread::getName).toList();
  }

  private static ServeConfig config(Object... options) {
    Map<String, Object> all = new HashMap<>(Map.of("model", TINY_CHAT, "port", 0, "threads", 1));
    for (int i = 0; i < options.length; i += 2) {
      all.put((String) options[i], options[i + 1]);
    }
    return ServeConfig.of(all);
  }

  private void serving(Work work, Object... options) {
    serving(config(options), Map.of(), work);
  }

  private void serving(ServeConfig config, Map<String, String> environment, Work work) {
    ServeRun.run(
        config,
        environment,
        output(out),
        server -> {
          started = server;
          try {
            work.run();
          } catch (Exception e) {
            throw new IllegalStateException(e);
          }
        });
  }

  private HttpRequest.Builder request(String path) {
    return HttpRequest.newBuilder(URI.create(server().url().replace("/v1", "") + path))
        .timeout(Duration.ofMinutes(2));
  }

  private HttpResponse<String> send(HttpRequest.Builder request)
      throws IOException, InterruptedException {
    return client.send(request.build(), HttpResponse.BodyHandlers.ofString());
  }

  private HttpResponse<String> post(String path, String body)
      throws IOException, InterruptedException {
    return send(
        request(path)
            .header("Content-Type", "application/json")
            .POST(HttpRequest.BodyPublishers.ofString(body)));
  }

  private HttpResponse<String> chat(String fields) throws IOException, InterruptedException {
    return post("/v1/chat/completions", "{\"messages\": %s%s}".formatted(HELLO, fields));
  }

  private JsonNode answer(String fields) throws IOException, InterruptedException {
    HttpResponse<String> response = chat(fields);
    assertThat(response.statusCode()).as(response.body()).isEqualTo(200);
    return JSON.readTree(response.body());
  }

  private static String content(JsonNode answer, int choice) {
    return answer.get("choices").get(choice).get("message").get("content").asString();
  }

  private String generated(Object... options) {
    Map<String, Object> all =
        new HashMap<>(Map.of("model", TINY_CHAT, "prompt", "Hello", "threads", 1));
    for (int i = 0; i < options.length; i += 2) {
      all.put((String) options[i], options[i + 1]);
    }
    ByteArrayOutputStream text = new ByteArrayOutputStream();
    GenerateRun.run(GenerateConfig.of(all), output(text));
    String line = text.toString(StandardCharsets.UTF_8);
    return line.substring(0, line.length() - System.lineSeparator().length());
  }

  /** The data of the events of a stream, without the last one. */
  private List<JsonNode> events(String path, String body) throws IOException, InterruptedException {
    HttpResponse<String> response = post(path, body);
    assertThat(response.statusCode()).as(response.body()).isEqualTo(200);
    assertThat(response.headers().firstValue("Content-Type")).hasValue("text/event-stream");
    List<String> data = response.body().lines().filter(line -> line.startsWith("data: ")).toList();
    assertThat(data).last().isEqualTo("data: [DONE]");
    return data.subList(0, data.size() - 1).stream()
        .map(line -> JSON.readTree(line.substring("data: ".length())))
        .toList();
  }

  private static String joined(List<JsonNode> events, int choice, boolean chat) {
    StringBuilder text = new StringBuilder();
    for (JsonNode event : events) {
      for (JsonNode each : event.get("choices")) {
        if (each.get("index").asInt() == choice) {
          text.append(
              chat ? each.path("delta").path("content").asString("") : each.get("text").asString());
        }
      }
    }
    return text.toString();
  }

  @Test
  void anAnswerIsThatOfGenerateWholeAndStreamed() {
    serving(
        () -> {
          for (String[] way :
              new String[][] {
                {"0", "1", "0", "0", "1"},
                {"1", "0.9", "0", "0", "1"},
                {"0.8", "1", "20", "0.02", "1.2"}
              }) {
            String fields =
                (", \"temperature\": %s, \"top_p\": %s, \"top_k\": %s, \"min_p\": %s,"
                        + " \"repetition_penalty\": %s, \"seed\": 7, \"max_tokens\": 30")
                    .formatted((Object[]) way);
            String expected =
                generated(
                    "temperature",
                    way[0],
                    "top_p",
                    way[1],
                    "top_k",
                    way[2],
                    "min_p",
                    way[3],
                    "repetition_penalty",
                    way[4],
                    "seed",
                    7,
                    "max_new_tokens",
                    30);
            JsonNode whole = answer(fields);
            assertThat(content(whole, 0)).isEqualTo(expected);
            List<JsonNode> events =
                events(
                    "/v1/chat/completions",
                    "{\"messages\": %s, \"stream\": true%s}".formatted(HELLO, fields));
            assertThat(joined(events, 0, true)).isEqualTo(expected);
            assertThat(events.get(0).get("choices").get(0).get("delta").get("role").asString())
                .isEqualTo("assistant");
            assertThat(events.get(events.size() - 1).get("choices").get(0).get("finish_reason"))
                .isEqualTo(whole.get("choices").get(0).get("finish_reason"));
          }
        });
  }

  @Test
  void aCompletionIsThatOfGenerateWithoutATemplate() {
    String expected = generated("raw", true, "temperature", 1, "seed", 3, "max_new_tokens", 20);
    serving(
        () -> {
          String fields = ", \"seed\": 3, \"max_tokens\": 20, \"model\": \"tiny-chat\"}";
          HttpResponse<String> response =
              post("/v1/completions", "{\"prompt\": \"Hello\"" + fields);
          JsonNode whole = JSON.readTree(response.body());
          assertThat(whole.get("object").asString()).isEqualTo("text_completion");
          assertThat(whole.get("choices").get(0).get("text").asString()).isEqualTo(expected);
          assertThat(
                  joined(
                      events(
                          "/v1/completions", "{\"prompt\": [\"Hello\"], \"stream\": true" + fields),
                      0,
                      false))
              .isEqualTo(expected);
          // OpenAI's default is 16 tokens.
          JsonNode standard =
              JSON.readTree(post("/v1/completions", "{\"prompt\": [5, 6], \"seed\": 1}").body());
          assertThat(standard.get("usage").get("prompt_tokens").asInt()).isEqualTo(2);
          assertThat(standard.get("usage").get("completion_tokens").asInt())
              .isLessThanOrEqualTo(16);
        });
  }

  @Test
  void aStopStringEndsTheAnswerAndIsNotPartOfIt() {
    String all = generated("max_new_tokens", 30);
    assertThat(all.length()).isGreaterThan(4);
    String stop = all.substring(2, 4);
    String expected = all.substring(0, all.indexOf(stop));
    assertThat(generated("max_new_tokens", 30, "stop", List.of("zzz", stop))).isEqualTo(expected);
    serving(
        () -> {
          String fields =
              ", \"temperature\": 0, \"max_tokens\": 30, \"stop\": "
                  + JSON.writeValueAsString(stop);
          JsonNode whole = answer(fields);
          assertThat(content(whole, 0)).isEqualTo(expected);
          assertThat(whole.get("choices").get(0).get("finish_reason").asString()).isEqualTo("stop");
          List<JsonNode> events =
              events(
                  "/v1/chat/completions",
                  "{\"messages\": %s, \"stream\": true%s}".formatted(HELLO, fields));
          assertThat(joined(events, 0, true)).isEqualTo(expected);
        });
  }

  @Test
  void severalAnswersAreThoseOfTheirNumbersAndTokensAreCounted() {
    serving(
        () -> {
          String fields = ", \"n\": 3, \"seed\": 5, \"max_completion_tokens\": 12";
          JsonNode whole = answer(fields);
          assertThat(whole.get("choices").size()).isEqualTo(3);
          assertThat(content(whole, 0))
              .isEqualTo(generated("temperature", 1, "seed", 5, "max_new_tokens", 12));
          List<String> texts = List.of(content(whole, 0), content(whole, 1), content(whole, 2));
          assertThat(texts).doesNotHaveDuplicates();
          List<JsonNode> events =
              events(
                  "/v1/chat/completions",
                  "{\"messages\": %s, \"stream\": true, \"stream_options\": {\"include_usage\": true}%s}"
                      .formatted(HELLO, fields));
          for (int i = 0; i < 3; i++) {
            assertThat(joined(events, i, true)).isEqualTo(texts.get(i));
          }
          JsonNode last = events.get(events.size() - 1);
          assertThat(last.get("choices").isEmpty()).isTrue();
          assertThat(last.get("usage")).isEqualTo(whole.get("usage"));
          int prompt = whole.get("usage").get("prompt_tokens").asInt();
          int completion = whole.get("usage").get("completion_tokens").asInt();
          assertThat(prompt).isPositive();
          assertThat(completion).isBetween(3, 36);
          assertThat(whole.get("usage").get("total_tokens").asInt()).isEqualTo(prompt + completion);
        });
  }

  @Test
  void logProbabilitiesOfTokensAndAlternativesAreTold() {
    serving(
        () -> {
          JsonNode whole =
              answer(
                  ", \"temperature\": 0, \"max_tokens\": 8, \"logprobs\": true, \"top_logprobs\": 3");
          JsonNode tokens = whole.get("choices").get(0).get("logprobs").get("content");
          StringBuilder text = new StringBuilder();
          for (JsonNode token : tokens) {
            text.append(token.get("token").asString());
            assertThat(token.get("logprob").asDouble()).isNegative();
            assertThat(token.get("top_logprobs").size()).isEqualTo(3);
            JsonNode top = token.get("top_logprobs").get(0);
            assertThat(top.get("token")).isEqualTo(token.get("token")); // it is greedy
            assertThat(top.get("bytes")).isEqualTo(token.get("bytes"));
          }
          assertThat(text.toString()).isEqualTo(content(whole, 0));

          String body = "{\"prompt\": \"Hello\", \"temperature\": 0, \"logprobs\": 2}";
          JsonNode choice =
              JSON.readTree(post("/v1/completions", body).body()).get("choices").get(0);
          JsonNode logProbs = choice.get("logprobs");
          int count = logProbs.get("tokens").size();
          assertThat(count).isPositive();
          assertThat(logProbs.get("token_logprobs").size()).isEqualTo(count);
          assertThat(logProbs.get("top_logprobs").size()).isEqualTo(count);
          assertThat(logProbs.get("text_offset").get(0).asInt()).isZero();
        });
  }

  /** The parts of a content are one text; a system turn and earlier answers are rendered. */
  @Test
  void contentMayBeAListOfTextParts() {
    serving(
        () -> {
          String parts =
              "[{\"role\": \"user\", \"content\": [{\"type\": \"text\", \"text\": \"Hel\"},"
                  + " {\"type\": \"text\", \"text\": \"lo\"}], \"name\": null, \"tool_calls\": []}]";
          HttpResponse<String> response =
              post(
                  "/v1/chat/completions",
                  "{\"messages\": %s, \"temperature\": 0, \"max_tokens\": 9}".formatted(parts));
          assertThat(content(JSON.readTree(response.body()), 0))
              .isEqualTo(generated("max_new_tokens", 9));
        });
  }

  @Test
  void fieldsThatChangeNoAnswerAreAccepted() {
    serving(
        () ->
            answer(
                ", \"max_tokens\": 2, \"user\": \"anna\", \"metadata\": {\"a\": \"b\"}, \"store\": true,"
                    + " \"tools\": [], \"response_format\": {\"type\": \"text\"}, \"logit_bias\": {},"
                    + " \"presence_penalty\": 0.0, \"frequency_penalty\": 0, \"stop\": null,"
                    + " \"reasoning_effort\": null, \"model\": \"tiny-chat\""));
  }

  @Test
  void aWrongFieldIsRefusedByItsNameRuleAndValue() {
    String[][] wrong = {
      {"temperature", "\"hot\"", "\"temperature\" must be a number from 0 but was \"hot\""},
      {"temperature", "-1", "\"temperature\" must be a number from 0 but was -1"},
      {"top_p", "0", "\"top_p\" must be a number above 0 and at most 1 but was 0"},
      {"top_k", "1.5", "\"top_k\" must be a whole number from -1 to 2147483647 but was 1.5"},
      {"min_p", "2", "\"min_p\" must be a number from 0 to 1 but was 2"},
      {
        "repetition_penalty",
        "0",
        "\"repetition_penalty\" must be a number from 0.01 to 100 but was 0"
      },
      {"n", "0", "\"n\" must be a whole number from 1 to 128 but was 0"},
      {"n", "1e30", "\"n\" must be a whole number from 1 to 128 but was 1.0E30"},
      {"max_tokens", "0", "\"max_tokens\" must be a whole number from 1 to 2147483647 but was 0"},
      {"seed", "\"x\"", "\"seed\" must be a whole number but was \"x\""},
      {"stream", "1", "\"stream\" must be true or false but was 1"},
      {
        "stop",
        "[\"a\", \"\"]",
        "\"stop\" must be a string of 1 to 1000 characters or a list of at most 16 of them but was"
            + " [\"a\",\"\"]"
      },
      {"top_logprobs", "3", "\"top_logprobs\" needs \"logprobs\": true, which was not there"},
      {
        "tools",
        "[{}]",
        "\"tools\" is not supported and would change the answer, except as [], but was [{}]; leave"
            + " it out"
      },
      {
        "response_format",
        "{\"type\":\"json_object\"}",
        "\"response_format\" is not supported and would change the answer, except as"
            + " {\"type\":\"text\"}, but was {\"type\":\"json_object\"}; leave it out"
      },
      {
        "logit_bias",
        "{\"5\":1}",
        "\"logit_bias\" is not supported and would change the answer, except as {}, but was"
            + " {\"5\":1}; leave it out"
      },
      {
        "presence_penalty",
        "0.5",
        "\"presence_penalty\" is not supported and would change the answer, except as 0, but was"
            + " 0.5; leave it out"
      },
      {
        "temprature",
        "1",
        "\"temprature\" is no field that is known here; did you mean \"temperature\"?"
      },
      {"stream_options", "{}", "\"stream_options\" needs \"stream\": true, which was not there"},
    };
    serving(
        () -> {
          for (String[] each : wrong) {
            assertRefused(chat(", \"%s\": %s".formatted(each[0], each[1])), 400, each[0], each[2]);
          }
          assertRefused(
              chat(", \"model\": \"gpt\""),
              404,
              "model",
              "\"model\" must be \"tiny-chat\", the model that is served, but was \"gpt\"");
        });
  }

  private static void assertRefused(
      HttpResponse<String> response, int status, String field, String message) {
    assertThat(response.statusCode()).as(response.body()).isEqualTo(status);
    JsonNode error = JSON.readTree(response.body()).get("error");
    assertThat(error.get("message").asString()).isEqualTo(message);
    assertThat(error.get("param").asString("")).isEqualTo(field);
    assertThat(error.get("type").asString())
        .isEqualTo(status == 404 ? "not_found_error" : "invalid_request_error");
  }

  @Test
  void aWrongMessageIsRefusedByItsPlace() {
    String[][] wrong = {
      {"[]", "messages", "\"messages\" must be a list of at least one message but was []"},
      {
        "\"Hello\"",
        "messages",
        "\"messages\" must be a list of at least one message but was \"Hello\""
      },
      {
        "[5]",
        "messages[0]",
        "\"messages[0]\" must be an object with \"role\" and \"content\" but was 5"
      },
      {"[{\"role\":\"user\"}]", "messages[0].content", "\"messages[0].content\" is missing"},
      {
        "[{\"role\":\"usr\",\"content\":\"\"}]",
        "messages[0].role",
        "\"messages[0].role\" must be one of assistant, user, system, tool, developer but was \"usr\""
      },
      {
        "[{\"role\":\"user\",\"content\":null}]",
        "messages[0].content",
        "\"messages[0].content\" must be a string or a list of text parts but was null"
      },
      {
        "[{\"role\":\"user\",\"content\":[{\"type\":\"image_url\",\"image_url\":{}}]}]",
        "messages[0].content[0].type",
        "\"messages[0].content[0].type\" must be \"text\", since models read text alone here, but"
            + " was \"image_url\""
      },
      {
        "[{\"role\":\"assistant\",\"content\":\"\",\"tool_calls\":[{}]}]",
        "messages[0].tool_calls",
        "\"messages[0].tool_calls\" is not supported; leave it out"
      },
      {
        "[{\"role\":\"user\",\"content\":\"a\\ud83d\"}]",
        "messages[0].content",
        "\"messages[0].content\" must be Unicode text but has half of a surrogate pair, \\ud83d, at"
            + " character 1"
      },
    };
    serving(
        () -> {
          for (String[] each : wrong) {
            assertRefused(
                post("/v1/chat/completions", "{\"messages\": " + each[0] + "}"),
                400,
                each[1],
                each[2]);
          }
          assertRefused(
              post("/v1/completions", "{\"prompt\": [\"a\", \"b\"]}"),
              400,
              "prompt",
              "\"prompt\" must be one text but was a list of 2; send a request for each");
          HttpResponse<String> outside = post("/v1/completions", "{\"prompt\": [5, 99999999]}");
          assertThat(outside.statusCode()).isEqualTo(400);
          assertThat(outside.body()).contains("99999999");
        });
  }

  @Test
  void aBodyThatIsNoJsonObjectOrTooDeepOrTooLargeIsRefused() {
    serving(
        () -> {
          for (String body :
              List.of(
                  "",
                  "{",
                  "[]",
                  "5",
                  "{\"n\": 1, \"n\": 2}",
                  "{} {}",
                  "{\"messages\": " + "[".repeat(5000),
                  "{\"seed\": " + "9".repeat(5000) + "}")) {
            HttpResponse<String> response = post("/v1/chat/completions", body);
            assertThat(response.statusCode()).as(body).isEqualTo(400);
            assertThat(JSON.readTree(response.body()).get("error").get("message").asString())
                .startsWith("the body must be");
          }
          byte[] large = new byte[Limit.REQUEST_BYTES.length() + 1];
          HttpResponse<String> response =
              send(
                  request("/v1/chat/completions")
                      .header("Content-Type", "application/json")
                      .POST(HttpRequest.BodyPublishers.ofByteArray(large)));
          assertThat(response.statusCode()).isEqualTo(413);
          assertThat(response.body()).contains("at most 4194304 bytes");
        });
  }

  @Test
  void aPromptThatFillsTheContextIsRefused() {
    serving(
        () -> {
          HttpResponse<String> response = chat(", \"max_tokens\": 1");
          assertThat(response.statusCode()).isEqualTo(400);
          JsonNode error = JSON.readTree(response.body()).get("error");
          assertThat(error.get("code").asString()).isEqualTo("context_length_exceeded");
          assertThat(error.get("message").asString())
              .startsWith("\"messages\": a prompt must have from 1 to 3 tokens");
        },
        "max_length",
        4);
  }

  @ParameterizedTest
  @CsvSource({
    "GET,/v1/chat/completions,405",
    "PUT,/v1/completions,405",
    "OPTIONS,/v1/chat/completions,405",
    "HEAD,/v1/models,200",
    "HEAD,/health,200",
    "HEAD,/v1/completions,405",
    "POST,/health,405",
    "GET,/,404",
    "GET,/v1/models/other,404",
    "GET,/v1/models/tiny-chat,200",
  })
  void methodsAndPathsAreThoseOfTheApi(String method, String path, int status) {
    serving(
        () -> {
          HttpResponse<String> response =
              send(request(path).method(method, HttpRequest.BodyPublishers.noBody()));
          assertThat(response.statusCode()).isEqualTo(status);
          if (status == 405) {
            assertThat(response.headers().firstValue("Allow")).isPresent();
          }
        });
  }

  @Test
  void theServerDescribesItselfAndCounts() {
    serving(
        () -> {
          assertThat(send(request("/health")).body()).isEqualTo("{\"status\":\"ok\"}");
          JsonNode models = JSON.readTree(send(request("/v1/models")).body());
          assertThat(models.get("data").get(0).get("id").asString()).isEqualTo("tiny-chat");
          assertThat(models.get("data").get(0).get("max_model_len").asInt())
              .isEqualTo(server().positions());
          JsonNode usage = answer(", \"max_tokens\": 5").get("usage");
          chat(", \"n\": 0");
          assertThat(send(request("/v1/models/other")).body())
              .contains(
                  "there is no model \\\"other\\\" here; \\\"tiny-chat\\\" is served",
                  "\"code\":\"model_not_found\"");
          String metrics = send(request("/metrics")).body();
          assertThat(metrics)
              .contains(
                  "dpo4j_requests_total{path=\"/v1/chat/completions\",status=\"200\"} 1\n",
                  "dpo4j_requests_total{path=\"/v1/chat/completions\",status=\"400\"} 1\n",
                  "dpo4j_requests_total{path=\"/v1/models\",status=\"404\"} 1\n",
                  "dpo4j_prompt_tokens_total " + usage.get("prompt_tokens") + "\n",
                  "dpo4j_generated_tokens_total " + usage.get("completion_tokens") + "\n",
                  "dpo4j_answer_seconds_count 1\n",
                  "dpo4j_requests_waiting 0\n");
          assertThat(metrics.lines())
              .allMatch(line -> line.matches("# (HELP|TYPE) \\w+ .*|\\w+(\\{[^}]*})? [0-9.eE-]+"));
        });
    assertThat(out.toString(StandardCharsets.UTF_8))
        .startsWith("serving tiny-chat on http://127.0.0.1:")
        .contains("for trying out and small services", "vLLM", "Ctrl-C stops");
  }

  @Test
  void withAKeyEachRequestMustPresentIt() throws IOException {
    Path file = Files.writeString(folder.resolve("key"), KEY + "\n");
    serving(
        config("api_key_file", file),
        Map.of(),
        () -> {
          assertThat(send(request("/health")).statusCode()).isEqualTo(200);
          for (String wrong :
              new String[] {null, KEY, "Bearer ", "Bearer x" + KEY, "Basic " + KEY}) {
            for (String path : List.of("/v1/models", "/metrics", "/v1/chat/completions")) {
              HttpRequest.Builder request = request(path);
              if (wrong != null) {
                request.header("Authorization", wrong);
              }
              HttpResponse<String> response = send(request);
              assertThat(response.statusCode()).isEqualTo(401);
              assertThat(response.body()).contains("invalid_api_key");
              assertThat(response.headers().firstValue("WWW-Authenticate")).hasValue("Bearer");
            }
          }
          assertThat(
                  send(request("/v1/models").header("Authorization", "Bearer " + KEY)).statusCode())
              .isEqualTo(200);
        });
    assertThat(out.toString(StandardCharsets.UTF_8)).doesNotContain(KEY);
  }

  @Test
  @DisabledOnOs(OS.WINDOWS)
  void aKeyThatOthersCanReadIsWarnedOf() throws IOException {
    Path file = Files.writeString(folder.resolve("key"), KEY);
    String warning = "api_key_file " + file + " can be read by other users of this machine";
    Files.setPosixFilePermissions(file, PosixFilePermissions.fromString("rw-------"));
    serving(config("api_key_file", file), Map.of(), () -> {});
    assertThat(out.toString(StandardCharsets.UTF_8)).doesNotContain(warning);
    Files.setPosixFilePermissions(file, PosixFilePermissions.fromString("rw-r-----"));
    serving(config("api_key_file", file), Map.of(), () -> {});
    assertThat(out.toString(StandardCharsets.UTF_8)).contains(warning);
  }

  @Test
  void anAddressThatOthersReachNeedsAKey() throws IOException {
    ServeConfig open = config("host", "0.0.0.0");
    assertThatThrownBy(() -> serving(open, Map.of(), () -> {}))
        .isInstanceOf(UsageException.class)
        .hasMessageContaining("host 0.0.0.0 is reached from other machines")
        .hasMessageContaining("DPO4J_API_KEY");
    serving(
        open, Map.of("DPO4J_API_KEY", KEY), () -> assertThat(server().url()).contains("0.0.0.0"));

    Path file = Files.writeString(folder.resolve("key"), "short\n");
    ServeConfig withShort = config("api_key_file", file);
    assertThatThrownBy(() -> serving(withShort, Map.of(), () -> {}))
        .isInstanceOf(UsageException.class)
        .hasMessageContaining("must hold one key of 16 or more visible ASCII characters");
    ServeConfig plain = config();
    assertThatThrownBy(() -> serving(plain, Map.of("DPO4J_API_KEY", "two words of it"), () -> {}))
        .isInstanceOf(UsageException.class)
        .hasMessageContaining("the environment variable DPO4J_API_KEY must be a key of 16");
  }

  @Test
  void aPortThatIsTakenIsAnErrorOfTheOption() {
    serving(
        () -> {
          int port = URI.create(server().url()).getPort();
          ServeConfig second = config("port", port);
          assertThatThrownBy(() -> ServeRun.run(second, Map.of(), output(out), started -> {}))
              .isInstanceOf(UsageException.class)
              .hasMessageContaining("port must be free on 127.0.0.1 but was " + port);
        });
    assertThatThrownBy(() -> serving(() -> {}, "host", "no such host"))
        .isInstanceOf(UsageException.class)
        .hasMessageContaining("host must be a name or address of this machine");
  }

  /** What a page of another origin, or of a name that points here, makes a browser send. */
  @Test
  void aWebPageIsRefused() {
    serving(
        () -> {
          int port = URI.create(server().url()).getPort();
          String get = "GET /v1/models HTTP/1.1\r\nConnection: close\r\n";
          assertThat(raw(get + "Host: 127.0.0.1:" + port + "\r\n\r\n")).startsWith("HTTP/1.1 200");
          assertThat(raw(get + "Host: LOCALHOST\r\n\r\n")).startsWith("HTTP/1.1 200");
          assertThat(raw(get + "Host: evil.example:" + port + "\r\n\r\n"))
              .startsWith("HTTP/1.1 403");
          assertThat(
                  raw(
                      get
                          + "Host: localhost:%d\r\nOrigin: http://localhost:%d\r\n\r\n"
                              .formatted(port, port)))
              .startsWith("HTTP/1.1 200");
          for (String origin : List.of("https://evil.example", "null", "http://localhost:1")) {
            assertThat(raw(get + "Host: localhost\r\nOrigin: " + origin + "\r\n\r\n"))
                .startsWith("HTTP/1.1 403");
          }
          // A form of a page can send JSON only as another type.
          HttpResponse<String> form =
              send(
                  request("/v1/chat/completions")
                      .header("Content-Type", "text/plain")
                      .POST(HttpRequest.BodyPublishers.ofString("{\"messages\": " + HELLO + "}")));
          assertThat(form.statusCode()).isEqualTo(415);
        });
  }

  private String raw(String request) throws IOException {
    URI address = URI.create(server().url());
    try (Socket socket = new Socket(address.getHost(), address.getPort())) {
      socket.setSoTimeout(60_000);
      socket.getOutputStream().write(request.getBytes(StandardCharsets.US_ASCII));
      return new String(socket.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    }
  }

  /** At this temperature all tokens are equally probable, so an end token hardly comes. */
  private static String endless(boolean stream) {
    return "{\"messages\": %s, \"stream\": %s, \"temperature\": 1e20, \"n\": 8}"
        .formatted(HELLO, stream);
  }

  private void post(Socket socket, String body) throws IOException {
    byte[] bytes = body.getBytes(StandardCharsets.UTF_8);
    socket
        .getOutputStream()
        .write(
            String.join(
                    "\r\n",
                    "POST /v1/chat/completions HTTP/1.1",
                    "Host: localhost",
                    "Content-Type: application/json",
                    "Content-Length: %d",
                    "",
                    "")
                .formatted(bytes.length)
                .getBytes(StandardCharsets.US_ASCII));
    socket.getOutputStream().write(bytes);
    socket.getOutputStream().flush();
  }

  private Socket connect() throws IOException {
    URI address = URI.create(server().url());
    Socket socket = new Socket(address.getHost(), address.getPort());
    socket.setSoTimeout(60_000);
    return socket;
  }

  private int running() throws IOException, InterruptedException {
    return metric("dpo4j_answers_running");
  }

  private int metric(String name) throws IOException, InterruptedException {
    return send(request("/metrics"))
        .body()
        .lines()
        .filter(line -> line.startsWith(name + " "))
        .mapToInt(line -> Integer.parseInt(line.substring(name.length() + 1)))
        .findFirst()
        .orElseThrow();
  }

  private void awaitRunning(boolean some) throws IOException, InterruptedException {
    long deadline = System.nanoTime() + TimeUnit.MINUTES.toNanos(1);
    while (running() > 0 != some) {
      assertThat(System.nanoTime()).isLessThan(deadline);
      TimeUnit.MILLISECONDS.sleep(20);
    }
  }

  @Test
  void nothingIsGeneratedForAClientThatHasLeft() {
    serving(
        () -> {
          for (boolean stream : new boolean[] {true, false}) {
            try (Socket socket = connect()) {
              post(socket, endless(stream));
              awaitRunning(true);
            }
            awaitRunning(false);
          }
        });
  }

  @Test
  void requestsBeyondTheQueueAreRefusedAndServedLater() {
    serving(
        () -> {
          try (Socket first = connect();
              Socket second = connect()) {
            post(first, endless(true));
            awaitRunning(true);
            post(second, endless(true));
            long deadline = System.nanoTime() + TimeUnit.MINUTES.toNanos(1);
            while (metric("dpo4j_requests_waiting") == 0) {
              assertThat(System.nanoTime()).isLessThan(deadline);
            }
            HttpResponse<String> refused = chat("");
            assertThat(refused.statusCode()).isEqualTo(429);
            assertThat(refused.headers().firstValue("Retry-After")).isPresent();
            assertThat(refused.body())
                .contains("the queue is full, with 1 waiting; try again later", "queue_full");
          }
          awaitRunning(false);
          answer(", \"max_tokens\": 2");
        },
        "queue",
        1,
        "max_concurrent",
        1);
  }

  /** A client that sends no end of its headers, or no body, does not keep others waiting. */
  @Test
  void slowClientsDoNotHoldUpOthers() {
    serving(
        () -> {
          List<Socket> slow = new ArrayList<>();
          try {
            for (int i = 0; i < 40; i++) {
              Socket socket = connect();
              slow.add(socket);
              socket
                  .getOutputStream()
                  .write(
                      (i % 2 == 0
                              ? "POST /v1/chat/completions HTTP/1.1\r\nHost: local"
                              : String.join(
                                  "\r\n",
                                  "POST /v1/chat/completions HTTP/1.1",
                                  "Host: localhost",
                                  "Content-Type: application/json",
                                  "Content-Length: 99",
                                  "",
                                  "{"))
                          .getBytes(StandardCharsets.US_ASCII));
            }
            answer(", \"max_tokens\": 2");
          } finally {
            for (Socket socket : slow) {
              socket.close();
            }
          }
        });
  }

  @Test
  void aThousandRequestsFromSixteenConnectionsLeaveNothingBehind() {
    Map<Integer, String> expected = new HashMap<>();
    serving(
        () -> {
          for (int seed = 0; seed < 10; seed++) {
            expected.put(seed, content(answer(", \"max_tokens\": 4, \"seed\": " + seed), 0));
          }
          System.gc();
          long handles = TensorScope.liveHandles();
          ExecutorService clients = Executors.newFixedThreadPool(16);
          List<Future<?>> all = new ArrayList<>();
          for (int i = 0; i < 16; i++) {
            int number = i;
            all.add(clients.submit(() -> sixteenth(number, expected)));
          }
          for (Future<?> each : all) {
            each.get();
          }
          clients.shutdown();
          System.gc();
          assertThat(TensorScope.liveHandles()).isLessThanOrEqualTo(handles + 10);
          assertThat(metric("dpo4j_answer_seconds_count")).isEqualTo(1010);
          assertThat(running()).isZero();
        });
  }

  /** 62 or 63 of a thousand requests, on a connection that is kept. */
  private Void sixteenth(int number, Map<Integer, String> expected) throws Exception {
    HttpClient own = HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).build();
    for (int i = number; i < 1000; i += 16) {
      int seed = i % 10;
      boolean stream = i % 3 == 0;
      String body =
          "{\"messages\": %s, \"max_tokens\": 4, \"seed\": %d, \"stream\": %s}"
              .formatted(HELLO, seed, stream);
      HttpResponse<InputStream> response =
          own.send(
              request("/v1/chat/completions")
                  .header("Content-Type", "application/json")
                  .POST(HttpRequest.BodyPublishers.ofString(body))
                  .build(),
              HttpResponse.BodyHandlers.ofInputStream());
      String text = new String(response.body().readAllBytes(), StandardCharsets.UTF_8);
      assertThat(response.statusCode()).as(text).isEqualTo(200);
      String found =
          stream
              ? joined(
                  text.lines()
                      .filter(line -> line.startsWith("data: {"))
                      .map(line -> JSON.readTree(line.substring(6)))
                      .toList(),
                  0,
                  true)
              : content(JSON.readTree(text), 0);
      assertThat(found).isEqualTo(expected.get(seed));
    }
    return null;
  }

  @Test
  void aStoppedServerEndsWhatRunsWithinItsTime() {
    serving(
        () -> {
          try (Socket socket = connect()) {
            post(socket, endless(true));
            awaitRunning(true);
            server().close(Duration.ofMillis(100));
            String all = new String(socket.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
            assertThat(all).contains("the server is being stopped").doesNotContain("[DONE]");
          }
          assertThatThrownBy(this::connect).isInstanceOf(IOException.class);
          server().await();
        });
  }
}
