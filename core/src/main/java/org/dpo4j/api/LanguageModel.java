package org.dpo4j.api;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.Spliterator;
import java.util.Spliterators;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.Consumer;
import java.util.function.Function;
import java.util.function.Supplier;
import java.util.stream.Stream;
import java.util.stream.StreamSupport;
import org.dpo4j.DpoException;
import org.dpo4j.Message;
import org.dpo4j.PromptException;
import org.dpo4j.TrainingResult;
import org.dpo4j.UsageException;
import org.dpo4j.batch.FlatSequences;
import org.dpo4j.config.Devices;
import org.dpo4j.config.InputPaths;
import org.dpo4j.data.DataInput;
import org.dpo4j.data.Example;
import org.dpo4j.data.ExampleReader;
import org.dpo4j.data.Row;
import org.dpo4j.encode.EncodedExample;
import org.dpo4j.encode.ExampleEncoder;
import org.dpo4j.encode.TextEncoder;
import org.dpo4j.generate.Generator;
import org.dpo4j.logprob.LengthDesensitizing;
import org.dpo4j.logprob.LogProbEngine;
import org.dpo4j.logprob.LogProbPass;
import org.dpo4j.logprob.LogProbTable;
import org.dpo4j.logprob.SequenceLogProbs;
import org.dpo4j.options.DeviceName;
import org.dpo4j.report.Progress;
import org.dpo4j.report.RunOutput;
import org.dpo4j.run.ModelBundle;
import org.dpo4j.tokenizer.IncrementalDecoder;
import org.dpo4j.tokenizer.ModelTokenizer;
import org.dpo4j.torch.Engine;
import org.dpo4j.torch.TensorScope;
import org.dpo4j.torch.Tensors;
import org.dpo4j.weights.PeftAdapter;
import org.jspecify.annotations.Nullable;

/**
 * A language model that scores and generates text.
 *
 * <pre>{@code
 * try (LanguageModel model = LanguageModel.open(Path.of("out"))) {
 *   double logProb = model.logProb("The sky is", " blue.");
 *   model.generate(List.of(Message.user("Hello")), Sampling.greedy(100), System.out::print);
 * }
 * }</pre>
 *
 * <p>Texts are encoded as in training: a prompt and a completion are tokenized together, the
 * completion begins at the first token that differs from the prompt alone, and plain text ends in
 * the end-of-sequence token. Log-probabilities are therefore the numbers that training and the
 * command {@code score} report.
 *
 * <p>A model may be used by any number of threads. It computes one call at a time, on all of its
 * {@linkplain Builder#threads threads}; other callers wait in the order of their arrival. An
 * interrupted caller gets a {@link DpoException} and stays interrupted.
 *
 * <p>The weights are in native memory, outside the Java heap, until {@link #close}. After that,
 * every method that computes throws {@link IllegalStateException}.
 */
public final class LanguageModel implements AutoCloseable {

  /** Pairs that go through the model together. */
  private static final int BATCH = 8;

  private final ModelBundle bundle;
  private final int threads;
  private final List<String> warnings;
  private final TextEncoder encoder;
  private final ExampleEncoder pairEncoder;
  private final Set<Integer> endTokens;
  private final int maxPositions;
  private final ReentrantLock lock = new ReentrantLock(true);
  private boolean closed;

  private LanguageModel(ModelBundle bundle, int threads, List<String> warnings) {
    this.bundle = bundle;
    this.threads = threads;
    this.warnings = warnings;
    ModelTokenizer tokenizer = bundle.tokenizer();
    this.encoder =
        new TextEncoder(tokenizer.text(), tokenizer.template(), tokenizer.specialTokens());
    this.pairEncoder = bundle.encoder(0);
    this.endTokens = bundle.endTokens();
    this.maxPositions = bundle.model().maxPositions();
  }

  /**
   * Opens the model of a folder in Hugging Face format. The folder of an adapter is opened with the
   * model that the adapter names.
   *
   * @param folder in Hugging Face format, or an adapter's in PEFT's format
   * @return the model, to be closed by the caller
   * @throws UsageException if there is no such folder
   * @throws DpoException if a file is missing, damaged or of a model family that is not supported
   */
  public static LanguageModel open(Path folder) {
    return builder(folder).open();
  }

  /**
   * Opens a model with a LoRA adapter on it.
   *
   * @param folder of the model
   * @param adapter folder in PEFT's format
   * @return the model, to be closed by the caller
   * @throws UsageException if there is no such folder
   * @throws DpoException if a file is missing or damaged, or the adapter does not fit the model
   */
  public static LanguageModel open(Path folder, Path adapter) {
    return builder(folder).adapter(adapter).open();
  }

  /**
   * Opens the model that a training run has saved, with its adapter if it trained one.
   *
   * @param result of a run that saved something
   * @return the model, to be closed by the caller
   * @throws DpoException if the run was cancelled before it saved anything
   */
  public static LanguageModel open(TrainingResult result) {
    if (result.files().isEmpty()) {
      throw new DpoException(
          "the run was cancelled before its first step and saved no model; train again");
    }
    return open(result.outputFolder());
  }

  /**
   * Prepares to open a model with settings.
   *
   * @param folder in Hugging Face format, or the folder of an adapter
   * @return settings, all at their defaults
   */
  public static Builder builder(Path folder) {
    return new Builder(folder);
  }

  /** Settings with which a model is opened. Not safe for use by several threads. */
  public static final class Builder {
    private final Path folder;
    private Optional<Path> adapter = Optional.empty();
    private @Nullable Tokenizer tokenizer;
    private @Nullable ChatTemplate chatTemplate;
    private DeviceName device = new DeviceName("cpu");
    private int threads;

    private Builder(Path folder) {
      this.folder = folder;
    }

    /**
     * Puts a LoRA adapter, a folder in PEFT's format, on the model.
     *
     * @param newAdapter its folder
     * @return this
     */
    public Builder adapter(Path newAdapter) {
      adapter = Optional.of(newAdapter);
      return this;
    }

    /**
     * Replaces the tokenizer of the folder, which then needs no {@code tokenizer.json}.
     *
     * @param newTokenizer safe for use by several threads
     * @return this
     */
    public Builder tokenizer(Tokenizer newTokenizer) {
      tokenizer = newTokenizer;
      return this;
    }

    /**
     * Replaces the chat template of the folder.
     *
     * @param newChatTemplate safe for use by several threads
     * @return this
     */
    public Builder chatTemplate(ChatTemplate newChatTemplate) {
      chatTemplate = newChatTemplate;
      return this;
    }

    /**
     * Sets the device that computes.
     *
     * @param name {@code cpu}, the default; {@code cuda} or {@code cuda:1} for a GPU; {@code auto}
     *     for a GPU if there is one
     * @return this
     * @throws IllegalArgumentException if the name is none of these
     */
    public Builder device(String name) {
      device = new DeviceName(name);
      return this;
    }

    /**
     * Sets how many threads compute.
     *
     * @param newThreads at least 0; 0, the default, uses all cores
     * @return this
     */
    public Builder threads(int newThreads) {
      if (newThreads < 0) {
        throw new IllegalArgumentException("threads must not be negative but was " + newThreads);
      }
      threads = newThreads;
      return this;
    }

    /**
     * Opens the model.
     *
     * @return the model, to be closed by the caller
     * @throws UsageException if there is no such folder or device
     * @throws DpoException if a file is missing or damaged, or the adapter does not fit the model
     */
    public LanguageModel open() {
      Path model = folder;
      Optional<Path> modelAdapter = adapter;
      if (adapter.isEmpty() && !Files.exists(folder.resolve("config.json"))) {
        Optional<Path> base = modelOfAdapter(folder);
        if (base.isPresent()) {
          model = base.get();
          modelAdapter = Optional.of(folder);
        }
      }
      InputPaths.requireModel("model", model);
      modelAdapter.ifPresent(InputPaths::requireAdapter);
      RunOutput output = RunOutput.silent(Progress.NONE);
      ModelBundle bundle =
          ModelBundle.open(
              model,
              modelAdapter,
              TextSide.of(tokenizer, chatTemplate),
              Devices.of(device),
              output);
      try {
        return new LanguageModel(bundle, threads, output.warnings());
      } catch (RuntimeException e) {
        bundle.close();
        throw e;
      }
    }

    private static Optional<Path> modelOfAdapter(Path folder) {
      if (!Files.exists(folder.resolve(PeftAdapter.CONFIG))) {
        return Optional.empty();
      }
      String name = PeftAdapter.baseName("adapter", folder).orElse("no model");
      Path model = Path.of(name);
      if (!Files.isDirectory(model)) {
        throw new UsageException(
            "the adapter %s names %s, which is no folder here; open it with the folder of its model"
                .formatted(folder, name));
      }
      return Optional.of(model);
    }
  }

  /**
   * Warnings about the files of the model, each with a remedy; usually empty.
   *
   * @return complete sentences
   */
  public List<String> warnings() {
    return warnings;
  }

  /**
   * The longest sequence, prompt and completion together, in tokens.
   *
   * @return the context length
   */
  public int maxPositions() {
    return maxPositions;
  }

  /**
   * The log-probability of a text's continuation.
   *
   * @param prompt may be empty; the first token of the completion is then not counted
   * @param completion begins with the space that separates it from the prompt, if there is one; the
   *     end-of-sequence token is added and counted
   * @return log p(completion given prompt), summed over tokens, in nats, at most 0
   * @throws DpoException if both together exceed {@link #maxPositions}
   */
  public double logProb(String prompt, String completion) {
    return computing(() -> logProb(encoder.completion(prompt, completion)));
  }

  /**
   * The log-probability of an answer in a conversation, rendered by the chat template.
   *
   * @param prompt the turns before the answer, at least one
   * @param completion the answer, of one turn or more
   * @return log p(completion given prompt), summed over tokens, in nats, at most 0
   * @throws DpoException if both together exceed {@link #maxPositions}, or there is no chat
   *     template, or it refuses the messages
   */
  public double logProb(List<Message> prompt, Message... completion) {
    return computing(() -> logProb(encoder.completion(prompt, List.of(completion))));
  }

  /**
   * The log-probability of each token that {@link #logProb(String, String)} sums.
   *
   * @param prompt may be empty; the first token of the completion is then left out
   * @param completion as for {@code logProb}; the last token is the end-of-sequence token
   * @return in the order of the tokens
   * @throws DpoException if both together exceed {@link #maxPositions}
   */
  public List<TokenLogProb> tokenLogProbs(String prompt, String completion) {
    return computing(() -> tokenLogProbs(encoder.completion(prompt, completion)));
  }

  /**
   * The log-probability of each token that {@link #logProb(List, Message...)} sums.
   *
   * @param prompt the turns before the answer, at least one
   * @param completion the answer, of one turn or more
   * @return in the order of the tokens
   * @throws DpoException if both together exceed {@link #maxPositions}, or there is no chat
   *     template, or it refuses the messages
   */
  public List<TokenLogProb> tokenLogProbs(List<Message> prompt, Message... completion) {
    return computing(() -> tokenLogProbs(encoder.completion(prompt, List.of(completion))));
  }

  /**
   * Scores pairs: the log-probabilities of both completions.
   *
   * @param pairs all of one kind (text, conversations or ids); read as the result is
   * @return one score for each pair, in their order, computed as they are read. A pair that cannot
   *     be scored throws a {@link DpoException} that names its number
   */
  public Stream<PairScore> score(Stream<? extends PreferencePair> pairs) {
    return inBatches(pairs, this::scores);
  }

  /**
   * Scores one pair.
   *
   * @param pair a pair of any kind
   * @return its score
   */
  public PairScore score(PreferencePair pair) {
    return score(Stream.of(pair)).toList().get(0);
  }

  /**
   * Computes implicit rewards of pairs: beta times the log-ratio of this model and a reference.
   *
   * @param pairs all of one kind (text, conversations or ids); read as the result is
   * @param reference with the same vocabulary, the model before training as a rule
   * @param beta as in training; positive
   * @return the rewards of each pair, in their order, computed as they are read
   */
  public Stream<PairRewards> rewards(
      Stream<? extends PreferencePair> pairs, LanguageModel reference, double beta) {
    if (!(beta > 0) || Double.isInfinite(beta)) { // !(>) refuses NaN too
      throw new IllegalArgumentException("beta must be positive and finite but was " + beta);
    }
    return inBatches(
        pairs,
        batch -> {
          List<PairScore> policyScores = scores(batch);
          List<PairScore> referenceScores = reference.scores(batch);
          List<PairRewards> rewards = new ArrayList<>();
          for (int i = 0; i < batch.size(); i++) {
            rewards.add(new PairRewards(policyScores.get(i), referenceScores.get(i), beta));
          }
          return rewards;
        });
  }

  /**
   * Continues a text.
   *
   * @param prompt the model reads it as it is, without the chat template
   * @param sampling how to pick tokens and when to end
   * @return the completion
   * @throws PromptException if the prompt fills the context
   * @throws DpoException if the thread is interrupted
   */
  public Completion generate(String prompt, Sampling sampling) {
    return generate(prompt, sampling, piece -> {});
  }

  /**
   * Continues a text, and delivers the completion piece by piece.
   *
   * @param prompt the model reads it as it is, without the chat template
   * @param pieces receives the text as it is generated, on the calling thread; all pieces joined
   *     are {@link Completion#text}. Other threads may use the model during this call. An exception
   *     ends the generation and reaches the caller
   * @param sampling how to pick tokens and when to end
   * @return the completion
   * @throws PromptException if the prompt fills the context
   * @throws DpoException if the thread is interrupted
   */
  public Completion generate(String prompt, Sampling sampling, Consumer<String> pieces) {
    return computing(() -> generate(() -> encoder.prompt(prompt), true, sampling, pieces));
  }

  /**
   * Answers a conversation.
   *
   * @param messages at least one turn, rendered by the chat template; for a model without one, a
   *     single turn that is read as plain text
   * @param sampling how to pick tokens and when to end
   * @return the completion
   * @throws PromptException if the prompt fills the context or the template refuses the messages
   * @throws DpoException if the thread is interrupted
   */
  public Completion generate(List<Message> messages, Sampling sampling) {
    return generate(messages, sampling, piece -> {});
  }

  /**
   * Answers a conversation, and delivers the answer piece by piece.
   *
   * @param messages at least one turn, rendered by the chat template; for a model without one, a
   *     single turn that is read as plain text
   * @param pieces receives the text as it is generated, on the calling thread; all pieces joined
   *     are {@link Completion#text}. Other threads may use the model during this call. An exception
   *     ends the generation and reaches the caller
   * @param sampling how to pick tokens and when to end
   * @return the completion
   * @throws PromptException if the prompt fills the context or the template refuses the messages
   * @throws DpoException if the thread is interrupted
   */
  public Completion generate(List<Message> messages, Sampling sampling, Consumer<String> pieces) {
    boolean continues = bundle.tokenizer().template() == null;
    return computing(() -> generate(() -> encoder.prompt(messages), continues, sampling, pieces));
  }

  /**
   * Frees the model. Waits for the call that computes; calls that wait for the model, or are
   * delivering a piece of text, throw {@link IllegalStateException}. A second call has no effect.
   */
  @Override
  public void close() {
    lock.lock();
    try {
      if (!closed) {
        closed = true;
        bundle.close();
      }
    } finally {
      lock.unlock();
    }
  }

  // All methods below run while the calling thread holds the lock.

  private double logProb(TextEncoder.Encoded text) {
    requireFits(text);
    FlatSequences sequences = FlatSequences.of(text.promptIds(), text.completionIds());
    try (TensorScope scope = TensorScope.open();
        LogProbPass pass =
            LogProbEngine.cpu()
                .forward(
                    bundle.model(),
                    sequences,
                    LengthDesensitizing.NONE,
                    LogProbEngine.Purpose.SUMS)) {
      return Tensors.toDoubles(pass.sums())[0];
    }
  }

  private List<TokenLogProb> tokenLogProbs(TextEncoder.Encoded text) {
    requireFits(text);
    int[] ids = text.completionIds();
    double[] logProbs = SequenceLogProbs.tokenLogProbs(bundle.model(), text.promptIds(), ids);
    int first = ids.length - logProbs.length;
    List<TokenLogProb> tokens = new ArrayList<>();
    for (int i = 0; i < logProbs.length; i++) {
      int id = ids[first + i];
      tokens.add(
          new TokenLogProb(id, bundle.tokenizer().text().decode(new int[] {id}), logProbs[i]));
    }
    return List.copyOf(tokens);
  }

  private void requireFits(TextEncoder.Encoded text) {
    int length = text.promptIds().length + text.completionIds().length;
    if (length > maxPositions) {
      throw new DpoException(
          "prompt and completion must fit into the model's %d positions but have %d tokens; shorten them"
              .formatted(maxPositions, length));
    }
  }

  /**
   * @param continues whether the completion continues the text of the prompt, and so keeps the
   *     space before its first word
   */
  private Completion generate(
      Supplier<int[]> encoding, boolean continues, Sampling sampling, Consumer<String> pieces) {
    Generator generator =
        new Generator(bundle.model(), endTokens, sampling.tokens(), sampling.seed());
    int[] prompt;
    try {
      prompt = encoding.get();
      generator.check(prompt);
    } catch (DpoException e) {
      throw new PromptException(e);
    }
    IncrementalDecoder decoder =
        new IncrementalDecoder(
            bundle.tokenizer().text(), continues ? prompt : new int[0], sampling.stops());
    StringBuilder text = new StringBuilder();
    Generator.Completion completion =
        generator.generate(
            prompt,
            sampling.maxNewTokens(),
            id -> {
              handOver(decoder.add(id), text, pieces);
              return !decoder.stopped();
            });
    handOver(decoder.finish(), text, pieces);
    return new Completion(
        text.toString(),
        prompt.length,
        completion.ids().length,
        completion.ended() || decoder.stopped());
  }

  /** Lets other threads compute while the consumer, which may be slow, processes the piece. */
  private void handOver(String piece, StringBuilder text, Consumer<String> pieces) {
    if (piece.isEmpty()) {
      return;
    }
    text.append(piece);
    lock.unlock();
    try {
      pieces.accept(piece);
    } finally {
      lock.lock();
    }
    requireOpen();
  }

  private void requireOpen() {
    if (closed) {
      throw new IllegalStateException("the model is closed");
    }
  }

  // The methods below take the lock.

  private List<PairScore> scores(List<EncodedExample> pairs) {
    return computing(
        () -> {
          LogProbTable table =
              LogProbTable.compute(LogProbEngine.cpu(), bundle.model(), pairs, BATCH, done -> {});
          List<PairScore> scores = new ArrayList<>();
          for (int i = 0; i < pairs.size(); i++) {
            scores.add(
                new PairScore(
                    table.chosen(i),
                    table.rejected(i),
                    pairs.get(i).chosenIds().length,
                    pairs.get(i).rejectedIds().length));
          }
          return scores;
        });
  }

  /** The results of pairs, made from the encoded pairs of one batch at a time. */
  private <R> Stream<R> inBatches(
      Stream<? extends PreferencePair> pairs, Function<List<EncodedExample>, List<R>> work) {
    Iterator<? extends PreferencePair> source = pairs.iterator();
    return StreamSupport.stream(
            new Spliterators.AbstractSpliterator<List<EncodedExample>>(
                Long.MAX_VALUE, Spliterator.ORDERED | Spliterator.NONNULL) {
              private @Nullable ExampleReader reader;

              @Override
              public boolean tryAdvance(Consumer<? super List<EncodedExample>> action) {
                if (!source.hasNext()) {
                  return false;
                }
                if (reader == null) {
                  reader = reader(source);
                }
                action.accept(batch(reader, source));
                return true;
              }
            },
            false)
        .flatMap(batch -> work.apply(batch).stream())
        .onClose(pairs::close);
  }

  private static ExampleReader reader(Iterator<? extends PreferencePair> pairs) {
    DataInput input = ExampleRows.input("pairs", () -> pairs);
    return ExampleReader.open(
        input.entries().get(0).files().get(0), input.columns(), input.format());
  }

  private List<EncodedExample> batch(ExampleReader reader, Iterator<?> source) {
    List<EncodedExample> batch = new ArrayList<>();
    while (batch.size() < BATCH && source.hasNext()) {
      Row row = reader.next().orElseThrow();
      for (Example pair : row.pairsOrThrow()) {
        batch.add(computing(() -> pairEncoder.encode(pair).usable().orElseThrow()));
      }
    }
    return batch;
  }

  private <R> R computing(Supplier<R> work) {
    try {
      lock.lockInterruptibly();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new DpoException("the thread was interrupted while it waited for the model", e);
    }
    try {
      requireOpen();
      if (threads == 0) {
        return work.get();
      }
      try (Engine.Threads own = Engine.use(threads)) {
        return work.get();
      }
    } finally {
      lock.unlock();
    }
  }
}
