package org.dpo4j.langchain4j;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.langchain4j.agent.tool.ToolExecutionRequest;
import dev.langchain4j.agent.tool.ToolSpecification;
import dev.langchain4j.data.message.AiMessage;
import dev.langchain4j.data.message.ChatMessage;
import dev.langchain4j.data.message.CustomMessage;
import dev.langchain4j.data.message.ImageContent;
import dev.langchain4j.data.message.SystemMessage;
import dev.langchain4j.data.message.TextContent;
import dev.langchain4j.data.message.ToolExecutionResultMessage;
import dev.langchain4j.data.message.UserMessage;
import dev.langchain4j.exception.InvalidRequestException;
import dev.langchain4j.exception.NonRetriableException;
import dev.langchain4j.exception.UnsupportedFeatureException;
import dev.langchain4j.memory.chat.MessageWindowChatMemory;
import dev.langchain4j.model.chat.ChatModel;
import dev.langchain4j.model.chat.listener.ChatModelErrorContext;
import dev.langchain4j.model.chat.listener.ChatModelListener;
import dev.langchain4j.model.chat.listener.ChatModelRequestContext;
import dev.langchain4j.model.chat.listener.ChatModelResponseContext;
import dev.langchain4j.model.chat.request.ChatRequest;
import dev.langchain4j.model.chat.request.ChatRequestParameters;
import dev.langchain4j.model.chat.request.DefaultChatRequestParameters;
import dev.langchain4j.model.chat.request.ResponseFormat;
import dev.langchain4j.model.chat.request.ToolChoice;
import dev.langchain4j.model.chat.response.ChatResponse;
import dev.langchain4j.model.output.FinishReason;
import dev.langchain4j.service.AiServices;
import java.net.URI;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.function.Consumer;
import java.util.stream.Stream;
import org.dpo4j.DpoException;
import org.dpo4j.Message;
import org.dpo4j.PromptException;
import org.dpo4j.api.ChatTemplate;
import org.dpo4j.api.Completion;
import org.dpo4j.api.LanguageModel;
import org.dpo4j.api.Sampling;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Closes: an answer through LangChain4j that is not the model's own, a parameter or a part of a
 * message that is dropped without a word, and an exception that says nothing to LangChain4j.
 */
class Dpo4jChatModelTest {

  private static final Path TINY_CHAT = Path.of("../examples/tiny-chat");
  private static final String QUESTION = "What is 2 + 2?";
  private static final Sampling GREEDY = Sampling.greedy(24);

  private static final LanguageModel MODEL = LanguageModel.open(TINY_CHAT);
  private static final ChatModel CHAT = Dpo4jChatModel.builder(MODEL).sampling(GREEDY).build();

  @AfterAll
  static void close() {
    MODEL.close();
  }

  private static ChatRequest asking(
      Consumer<DefaultChatRequestParameters.Builder<?>> parameters, ChatMessage... messages) {
    DefaultChatRequestParameters.Builder<?> builder = ChatRequestParameters.builder();
    parameters.accept(builder);
    return ChatRequest.builder()
        .messages(messages.length == 0 ? List.of(UserMessage.from(QUESTION)) : List.of(messages))
        .parameters(builder.build())
        .build();
  }

  private static ChatResponse answer(Consumer<DefaultChatRequestParameters.Builder<?>> parameters) {
    return CHAT.chat(asking(parameters));
  }

  private static Completion own(Sampling sampling, Message... messages) {
    return MODEL.generate(
        messages.length == 0 ? List.of(Message.user(QUESTION)) : List.of(messages), sampling);
  }

  @Test
  void anAnswerIsThatOfTheModelWithItsCounts() {
    Completion expected = own(GREEDY);
    assertThat(expected.text()).isNotBlank();

    ChatResponse response = CHAT.chat(UserMessage.from(QUESTION));

    assertThat(response.aiMessage().text()).isEqualTo(expected.text());
    assertThat(response.tokenUsage().inputTokenCount()).isEqualTo(expected.promptTokens());
    assertThat(response.tokenUsage().outputTokenCount()).isEqualTo(expected.tokens());
    assertThat(response.modelName()).isEqualTo("dpo4j");
    assertThat(CHAT.chat(QUESTION)).isEqualTo(expected.text());
  }

  @Test
  void theReasonOfTheEndIsStopOrLength() {
    String text = own(GREEDY).text();
    String stop = text.substring(5, 9);

    ChatResponse cut = answer(parameters -> parameters.maxOutputTokens(2));
    ChatResponse stopped = answer(parameters -> parameters.stopSequences(stop));

    assertThat(cut.finishReason()).isEqualTo(FinishReason.LENGTH);
    assertThat(cut.tokenUsage().outputTokenCount()).isEqualTo(2);
    assertThat(stopped.finishReason()).isEqualTo(FinishReason.STOP);
    assertThat(stopped.aiMessage().text()).isEqualTo(text.substring(0, text.indexOf(stop)));
  }

  @Test
  void aRequestOverridesTheSampling() {
    Sampling hot = Sampling.random(24, 3).withSeed(7);
    ChatModel chat = Dpo4jChatModel.builder(MODEL).sampling(hot).seed(7).build();
    String unchanged = own(hot).text();

    assertThat(chat.chat(QUESTION)).isEqualTo(unchanged);
    assertEquals(chat, parameters -> parameters.temperature(0.0), hot.withTemperature(0));
    assertEquals(chat, parameters -> parameters.topP(0.3), hot.withTopP(0.3));
    assertEquals(chat, parameters -> parameters.topK(4), hot.withTopK(4));
    assertEquals(chat, parameters -> parameters.maxOutputTokens(3), hot.withMaxNewTokens(3));
    assertThat(
            Stream.of(hot.withTemperature(0), hot.withTopP(0.3), hot.withTopK(4))
                .map(sampling -> own(sampling).text()))
        .doesNotHaveDuplicates()
        .doesNotContain(unchanged);
  }

  private static void assertEquals(
      ChatModel chat,
      Consumer<DefaultChatRequestParameters.Builder<?>> parameters,
      Sampling expected) {
    assertThat(chat.chat(asking(parameters)).aiMessage().text()).isEqualTo(own(expected).text());
  }

  @Test
  void theDefaultParametersAreThoseOfTheSampling() {
    Sampling sampling =
        Sampling.random(9, 0.5).withTopP(0.8).withTopK(40).withStops(List.of("\n\n"));

    ChatRequestParameters parameters =
        Dpo4jChatModel.builder(MODEL)
            .sampling(sampling)
            .modelName("tiny-chat")
            .build()
            .defaultRequestParameters();

    assertThat(parameters.modelName()).isEqualTo("tiny-chat");
    assertThat(parameters.maxOutputTokens()).isEqualTo(9);
    assertThat(parameters.temperature()).isEqualTo(0.5);
    assertThat(parameters.topP()).isEqualTo(0.8);
    assertThat(parameters.topK()).isEqualTo(40);
    assertThat(parameters.stopSequences()).containsExactly("\n\n");
    assertThat(CHAT.defaultRequestParameters().topK()).isNull();
  }

  @Test
  void whatARequestCannotSetIsTakenFromTheSampling() {
    Sampling penalized = GREEDY.withRepetitionPenalty(50);
    Sampling related = Sampling.random(24, 3).withMinP(0.5).withSeed(3);
    assertThat(own(penalized).text()).isNotEqualTo(own(GREEDY).text());
    assertThat(own(related).text()).isNotEqualTo(own(related.withMinP(0)).text());

    assertThat(Dpo4jChatModel.builder(MODEL).sampling(penalized).build().chat(QUESTION))
        .isEqualTo(own(penalized).text());
    assertThat(Dpo4jChatModel.builder(MODEL).sampling(related).seed(3).build().chat(QUESTION))
        .isEqualTo(own(related).text());
  }

  @Test
  void withASeedAnswersAreTheSameAndWithoutOneTheyAreNot() {
    Sampling hot = Sampling.random(24, 3);
    ChatModel seeded = Dpo4jChatModel.builder(MODEL).sampling(hot).seed(1).build();
    ChatModel other = Dpo4jChatModel.builder(MODEL).sampling(hot).seed(2).build();
    ChatModel unseeded = Dpo4jChatModel.builder(MODEL).sampling(hot).build();

    assertThat(seeded.chat(QUESTION))
        .isEqualTo(seeded.chat(QUESTION))
        .isNotEqualTo(other.chat(QUESTION));
    // 24 tokens at temperature 3 out of thousands: two equal answers do not happen.
    assertThat(unseeded.chat(QUESTION)).isNotEqualTo(unseeded.chat(QUESTION));
  }

  @Test
  void allThatAMessageSaysReachesTheChatTemplate() {
    List<Map<String, ?>> seen = new ArrayList<>();
    ChatTemplate template =
        (messages, addGenerationPrompt, variables) -> {
          messages.forEach(message -> seen.add(message.fields()));
          return "x";
        };
    Map<String, Object> custom = new LinkedHashMap<>();
    custom.put("role", "tool");
    custom.put("content", "12");
    custom.put("details", List.of(Map.of("unit", "m", "exact", true, "digits", 2)));
    try (LanguageModel model = LanguageModel.builder(TINY_CHAT).chatTemplate(template).open()) {
      Dpo4jChatModel.builder(model)
          .sampling(Sampling.greedy(1))
          .build()
          .chat(
              SystemMessage.from("Be brief."),
              UserMessage.from(TextContent.from("one, "), TextContent.from("two")),
              AiMessage.from("three"),
              AiMessage.builder().text("four").thinking("after three").build(),
              UserMessage.from("Ann", "five"),
              CustomMessage.from(custom));
    }

    assertThat(seen)
        .containsExactly(
            Map.of("role", "system", "content", "Be brief."),
            Map.of("role", "user", "content", "one, two"),
            Map.of("role", "assistant", "content", "three"),
            Map.of("role", "assistant", "content", "four", "reasoning_content", "after three"),
            Map.of("role", "user", "content", "five", "name", "Ann"),
            custom);
  }

  static List<ChatRequest> unsupported() {
    ToolSpecification tool = ToolSpecification.builder().name("clock").build();
    ToolExecutionRequest call = ToolExecutionRequest.builder().id("1").name("clock").build();
    return List.of(
        asking(parameters -> parameters.modelName("gpt")),
        asking(parameters -> parameters.toolSpecifications(tool)),
        asking(parameters -> parameters.toolChoice(ToolChoice.REQUIRED)),
        asking(parameters -> parameters.responseFormat(ResponseFormat.JSON)),
        asking(parameters -> parameters.frequencyPenalty(0.5)),
        asking(parameters -> parameters.presencePenalty(-0.5)),
        asking(parameters -> {}, UserMessage.from(ImageContent.from(URI.create("http://x/y.png")))),
        asking(parameters -> {}, UserMessage.from("a"), AiMessage.from(call)),
        asking(parameters -> {}, ToolExecutionResultMessage.from(call, "12:00")));
  }

  @ParameterizedTest
  @MethodSource("unsupported")
  void whatTheModelDoesNotDoIsRefused(ChatRequest request) {
    assertThatThrownBy(() -> CHAT.chat(request))
        .isInstanceOf(UnsupportedFeatureException.class)
        .hasMessageMatching("(?s).*(is|are) not supported.*|modelName must be \"dpo4j\".*")
        .hasMessageContaining("leave ");
  }

  @Test
  void aParameterThatAsksForNothingIsNotRefused() {
    ChatResponse response =
        answer(
            parameters ->
                parameters
                    .modelName("dpo4j")
                    .responseFormat(ResponseFormat.TEXT)
                    .toolChoice(ToolChoice.AUTO)
                    .frequencyPenalty(0.0)
                    .presencePenalty(0.0));

    assertThat(response.aiMessage().text()).isEqualTo(own(GREEDY).text());
  }

  @Test
  void aValueOutOfItsRangeIsNamedAsLangChain4jNamesIt() {
    assertInvalid(p -> p.temperature(-1.0), "temperature must not be negative but was -1.0");
    assertInvalid(p -> p.topP(1.5), "topP must be in (0, 1] but was 1.5");
    assertInvalid(p -> p.topK(-2), "topK must not be negative but was -2");
    assertInvalid(p -> p.maxOutputTokens(0), "maxOutputTokens must be at least 1 but was 0");
    assertInvalid(
        p -> p.stopSequences("a", ""), "stopSequences must not have an empty text but was [a, ]");
  }

  private static void assertInvalid(
      Consumer<DefaultChatRequestParameters.Builder<?>> parameters, String message) {
    assertThatThrownBy(() -> answer(parameters))
        .isInstanceOf(InvalidRequestException.class)
        .hasMessage(message);
  }

  @Test
  void theFieldsOfACustomMessageMustBeThoseOfATurn() {
    assertThatThrownBy(() -> CHAT.chat(CustomMessage.from(Map.of("content", "a"))))
        .isInstanceOf(InvalidRequestException.class)
        .hasMessageContaining("\"role\"")
        .hasMessageContaining("null");
    assertThatThrownBy(
            () ->
                CHAT.chat(
                    CustomMessage.from(
                        Map.of("role", "user", "when", List.of(Path.of("not", "json"))))))
        .isInstanceOf(InvalidRequestException.class)
        .hasMessageContaining("\"when\"")
        .hasMessageContaining("Path");
    assertThatThrownBy(
            () -> CHAT.chat(CustomMessage.from(Map.of("role", "user", "map", Map.of(1, "a")))))
        .isInstanceOf(InvalidRequestException.class)
        .hasMessageContaining("java.lang.Integer");
  }

  @Test
  void aPromptThatFillsTheContextIsAnInvalidRequest() {
    assertThatThrownBy(() -> CHAT.chat("word ".repeat(MODEL.maxPositions())))
        .isInstanceOf(InvalidRequestException.class)
        .hasCauseInstanceOf(PromptException.class)
        .hasMessageContaining((MODEL.maxPositions() - 1) + " tokens");
  }

  @Test
  void anInterruptedThreadStaysInterrupted() {
    Thread.currentThread().interrupt();
    try {
      assertThatThrownBy(() -> CHAT.chat(QUESTION))
          .isInstanceOf(NonRetriableException.class)
          .isNotInstanceOf(InvalidRequestException.class)
          .hasCauseInstanceOf(DpoException.class)
          .hasMessageContaining("interrupted");
    } finally {
      assertThat(Thread.interrupted()).isTrue();
    }
  }

  @Test
  void theModelIsTheCallersToClose() {
    LanguageModel model = LanguageModel.open(TINY_CHAT);
    ChatModel chat = Dpo4jChatModel.builder(model).sampling(GREEDY).build();
    assertThat(chat.chat(QUESTION)).isEqualTo(own(GREEDY).text());
    model.close();

    assertThatThrownBy(() -> chat.chat(QUESTION))
        .isInstanceOf(IllegalStateException.class)
        .hasMessage("the model is closed");
  }

  @Test
  void manyThreadsGetTheAnswerOfOne() throws Exception {
    String expected = own(GREEDY).text();
    ExecutorService pool = Executors.newFixedThreadPool(4);
    try {
      List<Future<String>> answers = new ArrayList<>();
      for (int i = 0; i < 8; i++) {
        answers.add(pool.submit(() -> CHAT.chat(QUESTION)));
      }
      for (Future<String> answer : answers) {
        assertThat(answer.get()).isEqualTo(expected);
      }
    } finally {
      pool.shutdownNow();
    }
  }

  @Test
  void listenersAreToldOfRequestsResponsesAndErrors() {
    List<String> events = new ArrayList<>();
    ChatModelListener listener =
        new ChatModelListener() {
          @Override
          public void onRequest(ChatModelRequestContext context) {
            events.add("request " + context.chatRequest().maxOutputTokens());
          }

          @Override
          public void onResponse(ChatModelResponseContext context) {
            events.add("response " + context.chatResponse().finishReason());
          }

          @Override
          public void onError(ChatModelErrorContext context) {
            events.add("error " + context.error().getClass().getSimpleName());
          }
        };
    ChatModel chat =
        Dpo4jChatModel.builder(MODEL)
            .sampling(Sampling.greedy(2))
            .listeners(List.of(listener))
            .build();

    chat.chat(QUESTION);
    assertThatThrownBy(() -> chat.chat(asking(parameters -> parameters.topK(-1)))).isNotNull();

    assertThat(events)
        .containsExactly(
            "request 2", "response LENGTH", "request 2", "error InvalidRequestException");
  }

  interface Assistant {
    String answer(String question);
  }

  @Test
  void anAiServiceWithAMemoryTalksToTheModel() {
    Assistant assistant =
        AiServices.builder(Assistant.class)
            .chatModel(CHAT)
            .chatMemory(MessageWindowChatMemory.withMaxMessages(10))
            .systemMessage("Answer briefly.")
            .build();
    Message system = Message.system("Answer briefly.");
    String first = own(GREEDY, system, Message.user("Hello")).text();

    assertThat(assistant.answer("Hello")).isEqualTo(first);
    assertThat(assistant.answer("And then?"))
        .isEqualTo(
            own(
                    GREEDY,
                    system,
                    Message.user("Hello"),
                    Message.assistant(first),
                    Message.user("And then?"))
                .text());
  }
}
