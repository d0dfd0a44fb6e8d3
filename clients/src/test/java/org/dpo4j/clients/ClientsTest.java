package org.dpo4j.clients;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.openai.client.OpenAIClient;
import com.openai.client.okhttp.OpenAIOkHttpClient;
import com.openai.core.JsonValue;
import com.openai.core.http.StreamResponse;
import com.openai.errors.BadRequestException;
import com.openai.errors.UnauthorizedException;
import com.openai.models.chat.completions.ChatCompletion;
import com.openai.models.chat.completions.ChatCompletionChunk;
import com.openai.models.chat.completions.ChatCompletionCreateParams;
import com.openai.models.chat.completions.ChatCompletionStreamOptions;
import com.openai.models.completions.CompletionCreateParams;
import com.openai.models.models.Model;
import dev.langchain4j.data.message.SystemMessage;
import dev.langchain4j.data.message.UserMessage;
import dev.langchain4j.model.chat.response.ChatResponse;
import dev.langchain4j.model.chat.response.StreamingChatResponseHandler;
import dev.langchain4j.model.openai.OpenAiChatModel;
import dev.langchain4j.model.openai.OpenAiStreamingChatModel;
import dev.langchain4j.model.output.FinishReason;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import org.dpo4j.config.GenerateConfig;
import org.dpo4j.config.ServeConfig;
import org.dpo4j.report.Progress;
import org.dpo4j.report.RunOutput;
import org.dpo4j.run.GenerateRun;
import org.dpo4j.run.ServeRun;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.DisabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;
import org.springframework.ai.chat.prompt.Prompt;
import org.springframework.ai.openai.OpenAiChatOptions;
import org.springframework.ai.openai.api.OpenAiApi;

/**
 * Closes the gap between the form of an answer that the tests of the server know and what programs
 * of others read: each client gets the text of {@code generate}, whole and streamed, the counts of
 * tokens, and an error that it understands.
 */
@SuppressWarnings("deprecation") // OpenAI deprecates seed, by which the answer is known
class ClientsTest {

  private static final Path TINY_CHAT = Path.of("..", "examples", "tiny-chat");
  private static final String KEY = "key-of-the-tests-0123456789";
  private static final String MODEL = "tiny-chat";
  private static final String QUESTION = "What is 7 times 12?";
  private static final int TOKENS = 24;
  private static final int SEED = 11;

  private static String url = "";
  private static String expected = "";
  private static Thread serving = new Thread();

  @BeforeAll
  static void serve(@TempDir Path folder) throws Exception {
    expected = generated();
    assertThat(expected).isNotBlank();
    Path key = Files.writeString(folder.resolve("key"), KEY);
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    ServeConfig config =
        ServeConfig.of(Map.of("model", TINY_CHAT, "port", 0, "threads", 1, "api_key_file", key));
    serving =
        new Thread(() -> assertThatThrownBy(() -> ServeRun.run(config, output(out))).isNotNull());
    serving.start();
    Pattern address = Pattern.compile("http://\\S+/v1");
    long deadline = System.nanoTime() + TimeUnit.MINUTES.toNanos(1);
    Matcher found = address.matcher("");
    while (!found.find()) {
      assertThat(System.nanoTime()).isLessThan(deadline);
      TimeUnit.MILLISECONDS.sleep(20);
      found = address.matcher(out.toString(StandardCharsets.UTF_8));
    }
    url = found.group();
  }

  @AfterAll
  static void stop() throws InterruptedException {
    serving.interrupt();
    serving.join(Duration.ofMinutes(1).toMillis());
    assertThat(serving.isAlive()).isFalse();
  }

  private static RunOutput output(ByteArrayOutputStream out) {
    PrintStream stream = new PrintStream(out, true, StandardCharsets.UTF_8);
    return new RunOutput(stream, stream, Progress.NONE);
  }

  private static String generated() {
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    GenerateRun.run(
        GenerateConfig.of(
            Map.of(
                "model",
                TINY_CHAT,
                "prompt",
                QUESTION,
                "temperature",
                0.7,
                "top_p",
                0.9,
                "seed",
                SEED,
                "max_new_tokens",
                TOKENS,
                "threads",
                1)),
        output(out));
    String line = out.toString(StandardCharsets.UTF_8);
    return line.substring(0, line.length() - System.lineSeparator().length());
  }

  private static ChatCompletionCreateParams.Builder question() {
    return ChatCompletionCreateParams.builder()
        .model(MODEL)
        .addUserMessage(QUESTION)
        .temperature(0.7)
        .topP(0.9)
        .seed(SEED)
        .maxCompletionTokens(TOKENS);
  }

  private static OpenAIClient openai(String key) {
    return OpenAIOkHttpClient.builder().baseUrl(url).apiKey(key).maxRetries(0).build();
  }

  @Test
  void openaiJavaGetsAnswersWholeAndStreamed() {
    OpenAIClient client = openai(KEY);
    ChatCompletion whole =
        client
            .chat()
            .completions()
            .create(question().n(2).logprobs(true).topLogprobs(2).build())
            .validate();
    assertThat(whole.choices()).hasSize(2);
    assertThat(whole.choices().get(0).message().content()).hasValue(expected);
    assertThat(whole.choices().get(0).logprobs().orElseThrow().content().orElseThrow())
        .isNotEmpty()
        .allMatch(token -> token.topLogprobs().size() == 2 && token.logprob() < 0);
    long tokens = whole.usage().orElseThrow().completionTokens();
    assertThat(tokens).isPositive();

    StringBuilder text = new StringBuilder();
    List<ChatCompletionChunk> chunks;
    try (StreamResponse<ChatCompletionChunk> stream =
        client
            .chat()
            .completions()
            .createStreaming(
                question()
                    .streamOptions(ChatCompletionStreamOptions.builder().includeUsage(true).build())
                    .build())) {
      chunks = stream.stream().map(ChatCompletionChunk::validate).toList();
    }
    chunks.forEach(
        chunk -> chunk.choices().forEach(each -> each.delta().content().ifPresent(text::append)));
    assertThat(text).hasToString(expected);
    assertThat(chunks.size()).isGreaterThan(3);
    assertThat(chunks.get(chunks.size() - 1).usage()).isPresent();

    assertThat(client.models().list().data().stream().map(Model::id)).containsExactly(MODEL);
    assertThat(
            client
                .completions()
                .create(
                    CompletionCreateParams.builder()
                        .model(MODEL)
                        .prompt("Hello")
                        .maxTokens(3)
                        .logprobs(2)
                        .build())
                .validate()
                .choices())
        .hasSize(1);
    client.close();
  }

  @Test
  void openaiJavaUnderstandsErrorsAndPassesFurtherFieldsOn() {
    OpenAIClient client = openai(KEY);
    assertThatThrownBy(() -> client.chat().completions().create(question().n(500).build()))
        .isInstanceOf(BadRequestException.class)
        .hasMessageContaining("\"n\" must be a whole number from 1 to 128 but was 500");
    assertThat(
            client
                .chat()
                .completions()
                .create(
                    question()
                        .putAdditionalBodyProperty("top_k", JsonValue.from(1))
                        .seed(1)
                        .build())
                .choices()
                .get(0)
                .message()
                .content())
        .isEqualTo(
            client
                .chat()
                .completions()
                .create(question().temperature(0.0).build())
                .choices()
                .get(0)
                .message()
                .content());
    client.close();
    OpenAIClient stranger = openai("wrong");
    assertThatThrownBy(() -> stranger.models().list()).isInstanceOf(UnauthorizedException.class);
    stranger.close();
  }

  @Test
  void langchain4jGetsAnswersWholeAndStreamed() throws Exception {
    OpenAiChatModel model =
        OpenAiChatModel.builder()
            .baseUrl(url)
            .apiKey(KEY)
            .modelName(MODEL)
            .temperature(0.7)
            .topP(0.9)
            .seed(SEED)
            .maxTokens(TOKENS)
            .build();
    ChatResponse response = model.chat(UserMessage.from(QUESTION));
    assertThat(response.aiMessage().text()).isEqualTo(expected);
    assertThat(response.tokenUsage().outputTokenCount()).isPositive();
    assertThat(response.finishReason()).isIn(FinishReason.STOP, FinishReason.LENGTH);
    assertThat(model.chat(SystemMessage.from("Be brief."), UserMessage.from("Hi")).aiMessage())
        .isNotNull();

    List<String> pieces = new ArrayList<>();
    CompletableFuture<ChatResponse> complete = new CompletableFuture<>();
    OpenAiStreamingChatModel.builder()
        .baseUrl(url)
        .apiKey(KEY)
        .modelName(MODEL)
        .temperature(0.7)
        .topP(0.9)
        .seed(SEED)
        .maxTokens(TOKENS)
        .build()
        .chat(
            QUESTION,
            new StreamingChatResponseHandler() {
              @Override
              public void onPartialResponse(String piece) {
                pieces.add(piece);
              }

              @Override
              public void onCompleteResponse(ChatResponse all) {
                complete.complete(all);
              }

              @Override
              public void onError(Throwable error) {
                complete.completeExceptionally(error);
              }
            });
    ChatResponse streamed = complete.get(1, TimeUnit.MINUTES);
    assertThat(streamed.aiMessage().text()).isEqualTo(expected);
    assertThat(String.join("", pieces)).isEqualTo(expected);
    assertThat(pieces.size()).isGreaterThan(1);
    assertThat(streamed.tokenUsage().outputTokenCount())
        .isEqualTo(response.tokenUsage().outputTokenCount());
  }

  @Test
  void springAiGetsAnswersWholeAndStreamed() {
    org.springframework.ai.openai.OpenAiChatModel model =
        org.springframework.ai.openai.OpenAiChatModel.builder()
            .openAiApi(OpenAiApi.builder().baseUrl(url.replace("/v1", "")).apiKey(KEY).build())
            .defaultOptions(
                OpenAiChatOptions.builder()
                    .model(MODEL)
                    .temperature(0.7)
                    .topP(0.9)
                    .seed(SEED)
                    .maxTokens(TOKENS)
                    .build())
            .build();
    org.springframework.ai.chat.model.ChatResponse response = model.call(new Prompt(QUESTION));
    assertThat(response.getResult().getOutput().getText()).isEqualTo(expected);
    assertThat(response.getMetadata().getUsage().getCompletionTokens()).isPositive();
    assertThat(
            model.stream(new Prompt(QUESTION))
                .toStream()
                .map(each -> each.getResult() == null ? null : each.getResult().getOutput())
                .filter(Objects::nonNull)
                .map(output -> Objects.requireNonNullElse(output.getText(), ""))
                .collect(Collectors.joining()))
        .isEqualTo(expected);
  }

  @Test
  @DisabledOnOs(OS.WINDOWS)
  void curlGetsAnswersWholeAndStreamed() throws IOException, InterruptedException {
    String fields =
        "\"messages\":[{\"role\":\"user\",\"content\":\"%s\"}],\"temperature\":0.7,\"top_p\":0.9,\"seed\":%d,\"max_tokens\":%d"
            .formatted(QUESTION, SEED, TOKENS);
    assertThat(curl("{" + fields + "}")).contains("\"content\":\"" + expected);
    assertThat(curl("{\"stream\":true," + fields + "}"))
        .startsWith("data: {\"id\":\"chatcmpl-")
        .endsWith("data: [DONE]\n\n");
  }

  private static String curl(String body) throws IOException, InterruptedException {
    Process process =
        new ProcessBuilder(
                "curl",
                "-sSN",
                url + "/chat/completions",
                "-H",
                "Authorization: Bearer " + KEY,
                "-H",
                "Content-Type: application/json",
                "-d",
                body)
            .redirectErrorStream(true)
            .start();
    String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    assertThat(process.waitFor()).as(output).isZero();
    return output;
  }
}
