package org.dpo4j.langchain4j;

import dev.langchain4j.exception.InvalidRequestException;
import dev.langchain4j.exception.UnsupportedFeatureException;
import dev.langchain4j.model.chat.StreamingChatModel;
import dev.langchain4j.model.chat.listener.ChatModelListener;
import dev.langchain4j.model.chat.request.ChatRequest;
import dev.langchain4j.model.chat.request.ChatRequestParameters;
import dev.langchain4j.model.chat.response.ChatResponse;
import dev.langchain4j.model.chat.response.PartialResponse;
import dev.langchain4j.model.chat.response.PartialResponseContext;
import dev.langchain4j.model.chat.response.StreamingChatResponseHandler;
import dev.langchain4j.model.chat.response.StreamingHandle;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.Executor;
import java.util.concurrent.RejectedExecutionException;
import org.dpo4j.api.LanguageModel;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Answers piece by piece, on a thread of its own: {@code chat} returns at once.
 *
 * <pre>{@code
 * StreamingChatModel chat = Dpo4jStreamingChatModel.builder(model).build();
 * chat.chat("How do I peel garlic quickly?", LambdaStreamingResponseHandler.onPartialResponse(System.out::print));
 * }</pre>
 *
 * <p>A piece is never empty, and no character is split between two of them; all pieces joined are
 * the text of the response. Answers that are streamed at the same time take turns, a piece each.
 * The handler is called on the thread of the answer:
 *
 * <ul>
 *   <li>{@code onPartialResponse} for each piece. Its context can cancel the answer: no more tokens
 *       are generated, and the handler is not called any more.
 *   <li>{@code onCompleteResponse} once, at the end.
 *   <li>{@code onError} instead if the answer fails; then with the exceptions that {@link
 *       Dpo4jChatModel#doChat} throws once it computes: {@code IllegalStateException} if the
 *       language model was closed meanwhile.
 *   <li>{@code onError} also with an exception that the handler throws. As with LangChain4j's own
 *       models, the answer goes on, unless the handler cancelled it: then nobody is told.
 * </ul>
 */
public final class Dpo4jStreamingChatModel implements StreamingChatModel {

  private static final Logger LOG = LoggerFactory.getLogger(Dpo4jStreamingChatModel.class);

  private final TunedModel tuned;
  private final Executor executor;

  private Dpo4jStreamingChatModel(TunedModel tuned, Executor executor) {
    this.tuned = tuned;
    this.executor = executor;
  }

  /**
   * Prepares a chat model.
   *
   * @param model is neither opened nor closed by the chat model; close it after the last answer
   * @return settings, all at their defaults
   */
  public static Builder builder(LanguageModel model) {
    return new Builder(model);
  }

  /** Settings of a {@link Dpo4jStreamingChatModel}. Not safe for use by several threads. */
  public static final class Builder extends Settings<Builder> {
    private Executor executor = Dpo4jStreamingChatModel::start;

    private Builder(LanguageModel model) {
      super(model);
    }

    /**
     * Sets what runs answers. Each takes a thread until it is complete.
     *
     * @param newExecutor by default a daemon thread for each answer
     * @return this
     */
    public Builder executor(Executor newExecutor) {
      executor = Objects.requireNonNull(newExecutor, "executor");
      return this;
    }

    /**
     * Makes the chat model.
     *
     * @return a chat model
     */
    public Dpo4jStreamingChatModel build() {
      return new Dpo4jStreamingChatModel(tuned(), executor);
    }
  }

  private static void start(Runnable answer) {
    Thread thread = new Thread(answer, "dpo4j-answer");
    thread.setDaemon(true);
    thread.start();
  }

  /**
   * Begins an answer and returns.
   *
   * @param request with parameters; what they leave out is that of {@link Builder#sampling}
   * @param handler receives the answer; see the class
   * @throws UnsupportedFeatureException if the request asks for what the model does not do
   * @throws InvalidRequestException if a parameter is out of its range
   * @throws RejectedExecutionException if the executor does not take the answer
   */
  @Override
  public void doChat(ChatRequest request, StreamingChatResponseHandler handler) {
    TunedModel.Question question = tuned.question(request);
    executor.execute(() -> answer(question, handler));
  }

  private void answer(TunedModel.Question question, StreamingChatResponseHandler handler) {
    Cancellation cancellation = new Cancellation();
    try {
      ChatResponse response =
          tuned.answer(question, piece -> deliver(piece, handler, cancellation));
      if (!cancellation.isCancelled()) {
        guarded(handler, cancellation, () -> handler.onCompleteResponse(response));
      }
    } catch (Cancelled e) {
      LOG.debug("an answer was cancelled");
    } catch (Throwable e) { // also an Error, which would be lost on this thread
      report(handler, cancellation, e);
    }
  }

  private static void deliver(
      String piece, StreamingChatResponseHandler handler, Cancellation cancellation) {
    if (cancellation.isCancelled()) { // by another thread, while the model computed
      throw new Cancelled();
    }
    guarded(
        handler,
        cancellation,
        () ->
            handler.onPartialResponse(
                new PartialResponse(piece), new PartialResponseContext(cancellation)));
    if (cancellation.isCancelled()) {
      throw new Cancelled();
    }
  }

  private static void guarded(
      StreamingChatResponseHandler handler, Cancellation cancellation, Runnable call) {
    try {
      call.run();
    } catch (RuntimeException e) {
      report(handler, cancellation, e);
    }
  }

  private static void report(
      StreamingChatResponseHandler handler, Cancellation cancellation, Throwable failure) {
    if (cancellation.isCancelled()) {
      LOG.warn("an answer that was cancelled failed", failure);
      return;
    }
    try {
      handler.onError(failure);
    } catch (RuntimeException e) {
      LOG.warn("onError of a streaming handler threw an exception, which is ignored", e);
    }
  }

  private static final class Cancellation implements StreamingHandle {
    private volatile boolean cancelled;

    @Override
    public void cancel() {
      cancelled = true;
    }

    @Override
    public boolean isCancelled() {
      return cancelled;
    }
  }

  /** Ends the generation from inside. */
  private static final class Cancelled extends RuntimeException {
    private static final long serialVersionUID = 1L;

    Cancelled() {
      super(null, null, false, false);
    }
  }

  /**
   * The model's name and what {@link Builder#sampling} sets.
   *
   * @return what a request has unless it says otherwise
   */
  @Override
  public ChatRequestParameters defaultRequestParameters() {
    return tuned.parameters();
  }

  /**
   * The listeners of the builder.
   *
   * @return in their order
   */
  @Override
  public List<ChatModelListener> listeners() {
    return tuned.listeners();
  }
}
