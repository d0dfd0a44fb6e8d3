package org.dpo4j.serve;

import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.dpo4j.generate.Generator;
import org.dpo4j.generate.ModelThread;
import org.dpo4j.tokenizer.IncrementalDecoder;
import org.dpo4j.tokenizer.TextTokenizer;
import org.jspecify.annotations.Nullable;

/** Turns tokens, on the thread of the model, into text for the thread of the connection. */
final class AnswerEvents implements ModelThread.Receiver {

  /** A token as text, with its log-probability; those that could stand in its place. */
  record Shown(String text, double logProb, List<Shown> alternatives) {}

  /**
   * What comes next.
   *
   * @param answer its number
   * @param text may be empty
   * @param tokens their log-probabilities, if asked for
   * @param finish why the answer ended; null while it goes on
   * @param failure why no answer is completed; nothing follows
   */
  record Event(
      int answer,
      String text,
      List<Shown> tokens,
      @Nullable String finish,
      @Nullable Throwable failure) {}

  private final Ask ask;
  private final TextTokenizer tokenizer;
  private final List<IncrementalDecoder> texts = new ArrayList<>();
  private final BlockingQueue<Event> events = new LinkedBlockingQueue<>();
  private volatile boolean cancelled;
  private final AtomicInteger tokens = new AtomicInteger();

  AnswerEvents(Api api, Ask ask, TextTokenizer tokenizer) {
    this.ask = ask;
    this.tokenizer = tokenizer;
    for (int i = 0; i < ask.answers(); i++) {
      // A text that follows another keeps the space before its first word.
      int[] before = api == Api.CHAT ? new int[0] : ask.prompt();
      texts.add(new IncrementalDecoder(tokenizer, before, ask.stops()));
    }
  }

  @Override
  public boolean token(int completion, Generator.Token token) {
    tokens.incrementAndGet();
    IncrementalDecoder text = texts.get(completion);
    String piece = text.add(token.id());
    List<Shown> shown = ask.logProbs() ? List.of(shown(token)) : List.of();
    if (!piece.isEmpty() || !shown.isEmpty()) {
      events.add(new Event(completion, piece, shown, null, null));
    }
    return !text.stopped();
  }

  @Override
  public void ended(int completion, Generator.@Nullable Token end) {
    tokens.addAndGet(end == null ? 0 : 1);
    IncrementalDecoder text = texts.get(completion);
    String rest = text.finish();
    String finish = end != null || text.stopped() ? "stop" : "length";
    events.add(new Event(completion, rest, List.of(), finish, null));
  }

  @Override
  public void failed(Throwable reason) {
    events.add(new Event(0, "", List.of(), null, reason));
  }

  @Override
  public boolean cancelled() {
    return cancelled;
  }

  /** Ends the generation: nobody waits for the answer any more. */
  void cancel() {
    cancelled = true;
  }

  /** Number of generated tokens, the end tokens among them. */
  int tokens() {
    return tokens.get();
  }

  /** Waits for the next event; null if none comes in this time. */
  @Nullable Event next(Duration wait) throws InterruptedException {
    return events.poll(wait.toMillis(), TimeUnit.MILLISECONDS);
  }

  private Shown shown(Generator.Token token) {
    return new Shown(
        text(token.id()),
        token.logProb(),
        token.alternatives().stream()
            .map(other -> new Shown(text(other.id()), other.logProb(), List.of()))
            .toList());
  }

  private String text(int id) {
    return tokenizer.decode(new int[] {id});
  }
}
