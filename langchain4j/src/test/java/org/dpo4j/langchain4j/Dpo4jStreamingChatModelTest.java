package org.dpo4j.langchain4j;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.langchain4j.data.message.UserMessage;
import dev.langchain4j.exception.InvalidRequestException;
import dev.langchain4j.exception.NonRetriableException;
import dev.langchain4j.exception.UnsupportedFeatureException;
import dev.langchain4j.memory.chat.MessageWindowChatMemory;
import dev.langchain4j.model.chat.StreamingChatModel;
import dev.langchain4j.model.chat.request.ChatRequest;
import dev.langchain4j.model.chat.request.ResponseFormat;
import dev.langchain4j.model.chat.response.ChatResponse;
import dev.langchain4j.model.chat.response.PartialResponse;
import dev.langchain4j.model.chat.response.PartialResponseContext;
import dev.langchain4j.model.chat.response.StreamingChatResponseHandler;
import dev.langchain4j.model.output.FinishReason;
import dev.langchain4j.service.AiServices;
import dev.langchain4j.service.TokenStream;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import org.dpo4j.Message;
import org.dpo4j.PromptException;
import org.dpo4j.api.Completion;
import org.dpo4j.api.LanguageModel;
import org.dpo4j.api.Sampling;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.Test;

/**
 * Closes: text that is lost between pieces, an answer that never ends for its handler or ends
 * twice, a cancelled answer that goes on computing, and a call that waits for the answer.
 */
class Dpo4jStreamingChatModelTest {

  private static final Path TINY_CHAT = Path.of("../examples/tiny-chat");
  private static final String QUESTION = "What is 2 + 2?";
  private static final Sampling GREEDY = Sampling.greedy(24);

  private static final LanguageModel MODEL = LanguageModel.open(TINY_CHAT);

  @AfterAll
  static void close() {
    MODEL.close();
  }

  private static Dpo4jStreamingChatModel.Builder builder() {
    return Dpo4jStreamingChatModel.builder(MODEL).sampling(GREEDY);
  }

  /** Its calls as texts, in their order. */
  private static class Recorder implements StreamingChatResponseHandler {
    final List<String> pieces = new CopyOnWriteArrayList<>();
    final List<ChatResponse> responses = new CopyOnWriteArrayList<>();
    final List<Throwable> errors = new CopyOnWriteArrayList<>();
    final CountDownLatch ended = new CountDownLatch(1);

    @Override
    public void onPartialResponse(String piece) {
      pieces.add(piece);
    }

    @Override
    public void onCompleteResponse(ChatResponse response) {
      responses.add(response);
      ended.countDown();
    }

    @Override
    public void onError(Throwable error) {
      errors.add(error);
      ended.countDown();
    }

    void await() throws InterruptedException {
      assertThat(ended.await(60, TimeUnit.SECONDS)).isTrue();
    }
  }

  private static Completion own() {
    return MODEL.generate(List.of(Message.user(QUESTION)), GREEDY);
  }

  @Test
  void thePiecesJoinedAreTheAnswerOfTheModel() throws Exception {
    Completion expected = own();
    Recorder recorder = new Recorder();

    builder().build().chat(QUESTION, recorder);
    recorder.await();

    assertThat(recorder.errors).isEmpty();
    assertThat(recorder.pieces).hasSizeGreaterThan(1).doesNotContain("");
    assertThat(String.join("", recorder.pieces)).isEqualTo(expected.text());
    ChatResponse response = recorder.responses.get(0);
    assertThat(response.aiMessage().text()).isEqualTo(expected.text());
    assertThat(response.tokenUsage().inputTokenCount()).isEqualTo(expected.promptTokens());
    assertThat(response.tokenUsage().outputTokenCount()).isEqualTo(expected.tokens());
    assertThat(response.finishReason())
        .isEqualTo(expected.ended() ? FinishReason.STOP : FinishReason.LENGTH);
  }

  @Test
  void chatReturnsBeforeTheAnswerOnADaemonThreadOfItsOwn() throws Exception {
    CountDownLatch returned = new CountDownLatch(1);
    List<Thread> threads = new CopyOnWriteArrayList<>();
    List<Boolean> waited = new CopyOnWriteArrayList<>();
    Recorder recorder =
        new Recorder() {
          @Override
          public void onPartialResponse(String piece) {
            if (threads.isEmpty()) {
              waited.add(waitFor(returned));
            }
            threads.add(Thread.currentThread());
          }
        };

    builder().build().chat(QUESTION, recorder);
    returned.countDown();
    recorder.await();

    assertThat(waited).containsExactly(true);
    assertThat(threads).isNotEmpty().allMatch(Thread::isDaemon);
    assertThat(threads).doesNotContain(Thread.currentThread());
  }

  private static boolean waitFor(CountDownLatch latch) {
    try {
      return latch.await(60, TimeUnit.SECONDS);
    } catch (InterruptedException e) {
      throw new IllegalStateException(e);
    }
  }

  @Test
  void anExecutorOfOnesOwnRunsTheAnswer() {
    List<Runnable> tasks = new ArrayList<>();
    Recorder recorder = new Recorder();

    builder().executor(tasks::add).build().chat(QUESTION, recorder);
    assertThat(recorder.pieces).isEmpty();
    tasks.get(0).run(); // on this thread

    assertThat(tasks).hasSize(1);
    assertThat(recorder.responses).hasSize(1);
  }

  @Test
  void aCancelledAnswerGeneratesNoMoreAndCallsNobody() {
    Recorder recorder =
        new Recorder() {
          @Override
          public void onPartialResponse(PartialResponse piece, PartialResponseContext context) {
            pieces.add(piece.text());
            assertThat(context.streamingHandle().isCancelled()).isFalse();
            if (pieces.size() == 2) {
              context.streamingHandle().cancel();
              assertThat(context.streamingHandle().isCancelled()).isTrue();
            }
          }
        };

    // With an answer of the rest of the context, which takes seconds, the task would return late.
    Dpo4jStreamingChatModel.builder(MODEL)
        .sampling(Sampling.greedy(MODEL.maxPositions()))
        .executor(Runnable::run)
        .build()
        .chat(QUESTION, recorder);

    assertThat(recorder.pieces).hasSize(2);
    assertThat(recorder.responses).isEmpty();
    assertThat(recorder.errors).isEmpty();
    assertThat(own().text()).startsWith(String.join("", recorder.pieces));
  }

  @Test
  void anExceptionOfAHandlerThatCancelledIsReportedToNobody() {
    for (Throwable thrown : List.of(new IllegalArgumentException("x"), new AssertionError("y"))) {
      Recorder recorder =
          new Recorder() {
            @Override
            public void onPartialResponse(PartialResponse piece, PartialResponseContext context) {
              pieces.add(piece.text());
              context.streamingHandle().cancel();
              if (thrown instanceof Error error) {
                throw error;
              }
              throw (RuntimeException) thrown;
            }
          };

      builder().executor(Runnable::run).build().chat(QUESTION, recorder);

      assertThat(recorder.pieces).hasSize(1);
      assertThat(recorder.errors).isEmpty();
      assertThat(recorder.responses).isEmpty();
    }
  }

  @Test
  void aModelThatIsClosedInTheMiddleReachesOnError() {
    LanguageModel other = LanguageModel.open(TINY_CHAT);
    Recorder recorder =
        new Recorder() {
          @Override
          public void onPartialResponse(String piece) {
            super.onPartialResponse(piece);
            other.close();
          }
        };

    Dpo4jStreamingChatModel.builder(other)
        .sampling(GREEDY)
        .executor(Runnable::run)
        .build()
        .chat(QUESTION, recorder);

    assertThat(recorder.errors).singleElement().isInstanceOf(IllegalStateException.class);
    assertThat(recorder.responses).isEmpty();
  }

  @Test
  void anExecutorThatTakesNoMoreIsTheCallersToSee() {
    Recorder recorder = new Recorder();
    StreamingChatModel full =
        builder()
            .executor(
                answer -> {
                  throw new RejectedExecutionException("full");
                })
            .build();

    assertThatThrownBy(() -> full.chat(QUESTION, recorder))
        .isInstanceOf(RejectedExecutionException.class);
    assertThat(recorder.errors).isEmpty();
  }

  @Test
  @SuppressWarnings("NullAway") // as a caller without such a check may
  void nullIsRefusedWhereItIsGiven() {
    Dpo4jStreamingChatModel.Builder builder = builder();
    assertThatThrownBy(() -> builder.sampling(null)).hasMessage("sampling");
    assertThatThrownBy(() -> builder.executor(null)).hasMessage("executor");
    assertThatThrownBy(() -> builder.modelName(null)).hasMessage("modelName");
    assertThatThrownBy(() -> builder.listeners(null)).hasMessage("listeners");
  }

  @Test
  void anExceptionOfTheHandlerIsReportedAndTheAnswerGoesOn() {
    AtomicBoolean thrown = new AtomicBoolean();
    Recorder recorder =
        new Recorder() {
          @Override
          public void onPartialResponse(String piece) {
            super.onPartialResponse(piece);
            if (thrown.compareAndSet(false, true)) {
              throw new IllegalArgumentException("mine");
            }
          }

          @Override
          public void onError(Throwable error) {
            super.onError(error);
            throw new IllegalStateException("ignored, and logged");
          }
        };

    builder().executor(Runnable::run).build().chat(QUESTION, recorder);

    assertThat(recorder.errors).hasSize(1);
    assertThat(recorder.errors.get(0)).hasMessage("mine");
    assertThat(String.join("", recorder.pieces)).isEqualTo(own().text());
    assertThat(recorder.responses).hasSize(1);
  }

  @Test
  void anExceptionOfOnCompleteResponseIsReported() {
    Recorder recorder =
        new Recorder() {
          @Override
          public void onCompleteResponse(ChatResponse response) {
            super.onCompleteResponse(response);
            throw new IllegalArgumentException("late");
          }
        };

    builder().executor(Runnable::run).build().chat(QUESTION, recorder);

    assertThat(recorder.responses).hasSize(1);
    assertThat(recorder.errors).hasSize(1);
    assertThat(recorder.errors.get(0)).hasMessage("late");
  }

  @Test
  void anErrorOfTheHandlerEndsTheAnswer() {
    Recorder recorder =
        new Recorder() {
          @Override
          public void onPartialResponse(String piece) {
            super.onPartialResponse(piece);
            throw new StackOverflowError("deep");
          }
        };

    builder().executor(Runnable::run).build().chat(QUESTION, recorder);

    assertThat(recorder.pieces).hasSize(1);
    assertThat(recorder.responses).isEmpty();
    assertThat(recorder.errors).hasSize(1);
    assertThat(recorder.errors.get(0)).isInstanceOf(StackOverflowError.class);
  }

  @Test
  void whatARequestGetsWrongIsThrownAtOnce() {
    Recorder recorder = new Recorder();
    StreamingChatModel chat = builder().build();
    ChatRequest json =
        ChatRequest.builder()
            .messages(UserMessage.from(QUESTION))
            .responseFormat(ResponseFormat.JSON)
            .build();
    ChatRequest hot =
        ChatRequest.builder().messages(UserMessage.from(QUESTION)).temperature(-1.0).build();

    assertThatThrownBy(() -> chat.chat(json, recorder))
        .isInstanceOf(UnsupportedFeatureException.class);
    assertThatThrownBy(() -> chat.chat(hot, recorder)).isInstanceOf(InvalidRequestException.class);
    assertThat(recorder.ended.getCount()).isEqualTo(1);
  }

  @Test
  void whatFailsLaterReachesOnErrorOnce() throws Exception {
    Recorder tooLong = new Recorder();
    builder().build().chat("word ".repeat(MODEL.maxPositions()), tooLong);
    tooLong.await();

    Recorder interrupted = new Recorder();
    builder()
        .executor(
            task -> {
              Thread.currentThread().interrupt();
              task.run();
            })
        .build()
        .chat(QUESTION, interrupted);
    assertThat(Thread.interrupted()).isTrue();

    LanguageModel closed = LanguageModel.open(TINY_CHAT);
    closed.close();
    Recorder late = new Recorder();
    Dpo4jStreamingChatModel.builder(closed).executor(Runnable::run).build().chat(QUESTION, late);

    assertThat(List.of(tooLong, interrupted, late))
        .allMatch(
            recorder ->
                recorder.errors.size() == 1
                    && recorder.responses.isEmpty()
                    && recorder.pieces.isEmpty());
    assertThat(tooLong.errors.get(0))
        .isInstanceOf(InvalidRequestException.class)
        .hasCauseInstanceOf(PromptException.class);
    assertThat(interrupted.errors.get(0)).isInstanceOf(NonRetriableException.class);
    assertThat(late.errors.get(0)).isInstanceOf(IllegalStateException.class);
  }

  @Test
  void answersAtTheSameTimeAreThoseOfOne() throws Exception {
    String expected = own().text();
    StreamingChatModel chat = builder().build();
    List<Recorder> recorders = new ArrayList<>();
    for (int i = 0; i < 4; i++) {
      recorders.add(new Recorder());
      chat.chat(QUESTION, recorders.get(i));
    }

    for (Recorder recorder : recorders) {
      recorder.await();
      assertThat(String.join("", recorder.pieces)).isEqualTo(expected);
      assertThat(recorder.responses).hasSize(1);
    }
  }

  interface Assistant {
    TokenStream answer(String question);
  }

  @Test
  void anAiServiceWithAMemoryStreamsFromTheModel() throws Exception {
    Assistant assistant =
        AiServices.builder(Assistant.class)
            .streamingChatModel(builder().build())
            .chatMemory(MessageWindowChatMemory.withMaxMessages(10))
            .build();

    String first = streamed(assistant.answer(QUESTION));
    String second = streamed(assistant.answer("And then?"));

    assertThat(first).isEqualTo(own().text());
    assertThat(second)
        .isEqualTo(
            MODEL
                .generate(
                    List.of(
                        Message.user(QUESTION),
                        Message.assistant(first),
                        Message.user("And then?")),
                    GREEDY)
                .text());
  }

  private static String streamed(TokenStream stream) throws Exception {
    StringBuilder pieces = new StringBuilder();
    CompletableFuture<ChatResponse> response = new CompletableFuture<>();
    stream
        .onPartialResponse(pieces::append)
        .onCompleteResponse(response::complete)
        .onError(response::completeExceptionally)
        .start();
    assertThat(response.get(60, TimeUnit.SECONDS).aiMessage().text()).isEqualTo(pieces.toString());
    return pieces.toString();
  }
}
