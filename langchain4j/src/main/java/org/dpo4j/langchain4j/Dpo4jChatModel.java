package org.dpo4j.langchain4j;

import dev.langchain4j.exception.InvalidRequestException;
import dev.langchain4j.exception.NonRetriableException;
import dev.langchain4j.exception.UnsupportedFeatureException;
import dev.langchain4j.model.chat.ChatModel;
import dev.langchain4j.model.chat.listener.ChatModelListener;
import dev.langchain4j.model.chat.request.ChatRequest;
import dev.langchain4j.model.chat.request.ChatRequestParameters;
import dev.langchain4j.model.chat.response.ChatResponse;
import java.util.List;
import org.dpo4j.api.LanguageModel;

/**
 * Answers whole, on the calling thread.
 *
 * <pre>{@code
 * try (LanguageModel model = LanguageModel.open(Path.of("out"))) {
 *   ChatModel chat = Dpo4jChatModel.builder(model).sampling(Sampling.greedy(200)).build();
 *   System.out.println(chat.chat("How do I peel garlic quickly?"));
 * }
 * }</pre>
 *
 * <p>Any number of threads may use it; the language model computes one answer at a time. A response
 * has the text, the finish reason {@code STOP} (the model or a stop sequence ended the answer) or
 * {@code LENGTH}, and the tokens of prompt and answer, the end token not counted.
 *
 * <p>An interrupted caller gets a {@link NonRetriableException} and stays interrupted.
 */
public final class Dpo4jChatModel implements ChatModel {

  private final TunedModel tuned;

  private Dpo4jChatModel(TunedModel tuned) {
    this.tuned = tuned;
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

  /** Settings of a {@link Dpo4jChatModel}. Not safe for use by several threads. */
  public static final class Builder extends Settings<Builder> {

    private Builder(LanguageModel model) {
      super(model);
    }

    /**
     * Makes the chat model.
     *
     * @return a chat model
     */
    public Dpo4jChatModel build() {
      return new Dpo4jChatModel(tuned());
    }
  }

  /**
   * Answers a request.
   *
   * @param request with parameters; what they leave out is that of {@link Builder#sampling}
   * @return the answer
   * @throws UnsupportedFeatureException if the request asks for what the model does not do
   * @throws InvalidRequestException if a parameter is out of its range, the prompt fills the
   *     context, or the chat template refuses the messages
   * @throws NonRetriableException if the model fails or the thread is interrupted
   * @throws IllegalStateException if the language model is closed
   */
  @Override
  public ChatResponse doChat(ChatRequest request) {
    return tuned.answer(tuned.question(request), piece -> {});
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
