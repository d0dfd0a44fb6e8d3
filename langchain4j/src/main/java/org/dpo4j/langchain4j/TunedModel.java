package org.dpo4j.langchain4j;

import dev.langchain4j.data.message.AiMessage;
import dev.langchain4j.exception.InvalidRequestException;
import dev.langchain4j.exception.NonRetriableException;
import dev.langchain4j.exception.UnsupportedFeatureException;
import dev.langchain4j.model.chat.listener.ChatModelListener;
import dev.langchain4j.model.chat.request.ChatRequest;
import dev.langchain4j.model.chat.request.ChatRequestParameters;
import dev.langchain4j.model.chat.request.ResponseFormatType;
import dev.langchain4j.model.chat.request.ToolChoice;
import dev.langchain4j.model.chat.response.ChatResponse;
import dev.langchain4j.model.output.FinishReason;
import dev.langchain4j.model.output.TokenUsage;
import java.util.List;
import java.util.concurrent.ThreadLocalRandom;
import java.util.function.BiFunction;
import java.util.function.Consumer;
import org.dpo4j.DpoException;
import org.dpo4j.Message;
import org.dpo4j.PromptException;
import org.dpo4j.api.Completion;
import org.dpo4j.api.LanguageModel;
import org.dpo4j.api.Sampling;
import org.jspecify.annotations.Nullable;

/** Reads requests of LangChain4j and answers them with a language model. */
record TunedModel(
    LanguageModel model,
    String name,
    Sampling sampling,
    @Nullable Long seed,
    List<ChatModelListener> listeners) {

  /** A request in the terms of the language model. */
  record Question(List<Message> messages, Sampling sampling) {}

  /** What a request has unless it says otherwise. */
  ChatRequestParameters parameters() {
    return ChatRequestParameters.builder()
        .modelName(name)
        .temperature(sampling.temperature())
        .topP(sampling.topP())
        .topK(sampling.topK() == 0 ? null : sampling.topK()) // 0: no limit
        .maxOutputTokens(sampling.maxNewTokens())
        .stopSequences(sampling.stops())
        .build();
  }

  /**
   * Reads a request.
   *
   * @throws UnsupportedFeatureException if it asks for what the model does not do
   * @throws InvalidRequestException if a parameter is out of its range
   */
  Question question(ChatRequest request) {
    ChatRequestParameters parameters = request.parameters();
    refuseUnsupported(parameters);
    return new Question(
        request.messages().stream().map(Messages::of).toList(), sampling(parameters));
  }

  private void refuseUnsupported(ChatRequestParameters parameters) {
    String otherName = parameters.modelName();
    if (otherName != null && !otherName.equals(name)) {
      throw new UnsupportedFeatureException(
          "modelName must be \"%s\", the one model here, but was \"%s\"; leave it out, or build another chat model"
              .formatted(name, otherName));
    }
    if (!parameters.toolSpecifications().isEmpty()
        || parameters.toolChoice() == ToolChoice.REQUIRED) {
      throw new UnsupportedFeatureException(
          "tools are not supported, since an answer is text alone; leave toolSpecifications and toolChoice out, and tools out of the AI service");
    }
    if (parameters.responseFormat() != null
        && parameters.responseFormat().type() == ResponseFormatType.JSON) {
      throw new UnsupportedFeatureException(
          "responseFormat JSON is not supported, since no grammar restricts the tokens; leave it out and ask for JSON in a message");
    }
    refusePenalty("frequencyPenalty", parameters.frequencyPenalty());
    refusePenalty("presencePenalty", parameters.presencePenalty());
  }

  private static void refusePenalty(String parameter, @Nullable Double value) {
    if (value != null && value != 0) {
      throw new UnsupportedFeatureException(
          "%s is not supported and must be 0 but was %s; leave it out, or set Sampling.withRepetitionPenalty in the builder"
              .formatted(parameter, value));
    }
  }

  private Sampling sampling(ChatRequestParameters parameters) {
    Sampling all = sampling.withSeed(seed == null ? ThreadLocalRandom.current().nextLong() : seed);
    all = with(all, Sampling::withTemperature, parameters.temperature());
    all = with(all, Sampling::withTopP, parameters.topP());
    all = with(all, Sampling::withTopK, parameters.topK());
    all = with(all, Sampling::withMaxNewTokens, parameters.maxOutputTokens());
    return parameters.stopSequences().isEmpty()
        ? all
        : with(all, Sampling::withStops, parameters.stopSequences());
  }

  private static <T> Sampling with(
      Sampling sampling, BiFunction<Sampling, T, Sampling> change, @Nullable T value) {
    if (value == null) {
      return sampling;
    }
    try {
      return change.apply(sampling, value);
    } catch (IllegalArgumentException e) {
      // "temperature must ... but was ..."; two parameters have other names in LangChain4j.
      String message =
          String.valueOf(e.getMessage())
              .replaceFirst("^maxNewTokens", "maxOutputTokens")
              .replaceFirst("^stops", "stopSequences");
      throw new InvalidRequestException(message, e);
    }
  }

  /**
   * Answers on the calling thread.
   *
   * @param pieces as for {@link LanguageModel#generate(List, Sampling, Consumer)}
   * @throws InvalidRequestException if the prompt fills the context or the template refuses it
   * @throws NonRetriableException if the model fails or the thread is interrupted
   */
  ChatResponse answer(Question question, Consumer<String> pieces) {
    Completion completion;
    try {
      completion = model.generate(question.messages(), question.sampling(), pieces);
    } catch (PromptException e) {
      throw new InvalidRequestException(e.getMessage(), e);
    } catch (DpoException e) {
      throw new NonRetriableException(e.getMessage(), e);
    }
    return ChatResponse.builder()
        .aiMessage(AiMessage.from(completion.text()))
        .modelName(name)
        .tokenUsage(new TokenUsage(completion.promptTokens(), completion.tokens()))
        .finishReason(completion.ended() ? FinishReason.STOP : FinishReason.LENGTH)
        .build();
  }
}
