package org.dpo4j.langchain4j;

import dev.langchain4j.model.chat.listener.ChatModelListener;
import java.util.List;
import java.util.Objects;
import org.dpo4j.api.LanguageModel;
import org.dpo4j.api.Sampling;
import org.jspecify.annotations.Nullable;

/**
 * Settings that both chat models have.
 *
 * @param <B> the builder itself
 */
abstract class Settings<B extends Settings<B>> {

  private final LanguageModel model;
  private Sampling sampling = Sampling.random(512, 0.7); // the defaults of the command chat
  private @Nullable Long seed;
  private String modelName = "dpo4j";
  private List<ChatModelListener> listeners = List.of();

  Settings(LanguageModel model) {
    this.model = Objects.requireNonNull(model, "model");
  }

  /**
   * Sets how answers are sampled where a request does not say otherwise. The seed in it is not
   * used: see {@link #seed}.
   *
   * @param newSampling by default temperature 0.7 and at most 512 tokens
   * @return this
   */
  public B sampling(Sampling newSampling) {
    sampling = Objects.requireNonNull(newSampling, "sampling");
    return self();
  }

  /**
   * Makes answers reproducible: the same request gets the same answer.
   *
   * @param newSeed any number; without a seed, each request draws one
   * @return this
   */
  public B seed(long newSeed) {
    seed = newSeed;
    return self();
  }

  /**
   * Sets the name that responses have, and that requests may have.
   *
   * @param newModelName {@code dpo4j} by default
   * @return this
   */
  public B modelName(String newModelName) {
    modelName = Objects.requireNonNull(newModelName, "modelName");
    return self();
  }

  /**
   * Sets the listeners that LangChain4j notifies of requests, responses and errors.
   *
   * @param newListeners none by default
   * @return this
   */
  public B listeners(List<ChatModelListener> newListeners) {
    listeners = List.copyOf(Objects.requireNonNull(newListeners, "listeners"));
    return self();
  }

  @SuppressWarnings("unchecked") // B is the class itself
  private B self() {
    return (B) this;
  }

  final TunedModel tuned() {
    return new TunedModel(model, modelName, sampling, seed, listeners);
  }
}
