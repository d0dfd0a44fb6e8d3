package org.dpo4j.generate;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.stream.IntStream;
import org.dpo4j.DpoException;
import org.dpo4j.generate.Generator.Request;
import org.dpo4j.generate.Generator.Token;
import org.dpo4j.generate.ModelThread.Answer;
import org.dpo4j.model.CausalLm;
import org.dpo4j.model.SmallModel;
import org.dpo4j.torch.ElementType;
import org.dpo4j.torch.TensorScope;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/**
 * Closes: a request whose tokens depend on those that run beside it, that is lost, goes on after
 * its caller left, or takes others with it when it fails; a queue without an end; a thread that
 * does not end.
 */
class ModelThreadTest {

  private static final Set<Integer> END = Set.of(9);
  private static final TokenSampler RANDOM = new TokenSampler(1, 0.95, 30);

  private final CausalLm model = SmallModel.LLAMA.create(ElementType.F64, 3);

  @AfterEach
  void free() {
    model.close();
  }

  /** Records what comes. */
  private static class Recorder implements ModelThread.Receiver {
    final List<List<Token>> tokens = new ArrayList<>();
    final @Nullable Token[] ends;
    final CountDownLatch done = new CountDownLatch(1);
    final CountDownLatch first = new CountDownLatch(1);
    volatile boolean cancelled;
    volatile @Nullable Throwable failure;
    private int left;

    Recorder(int completions) {
      IntStream.range(0, completions).forEach(i -> tokens.add(new ArrayList<>()));
      ends = new Token[completions];
      left = completions;
    }

    @Override
    public boolean token(int completion, Token token) {
      tokens.get(completion).add(token);
      first.countDown();
      return true;
    }

    @Override
    public void ended(int completion, @Nullable Token end) {
      ends[completion] = end;
      left--;
      if (left == 0) {
        done.countDown();
      }
    }

    @Override
    public boolean cancelled() {
      return cancelled;
    }

    @Override
    public void failed(Throwable reason) {
      failure = reason;
      done.countDown();
    }

    Recorder await() throws InterruptedException {
      assertThat(done.await(1, TimeUnit.MINUTES)).isTrue();
      return this;
    }

    List<Integer> ids(int completion) {
      return tokens.get(completion).stream().map(Token::id).toList();
    }
  }

  private static Request request(
      int[] prompt, int completions, int limit, TokenSampler sampler, long seed, Recorder to) {
    return new Request(prompt, 0, completions, limit, sampler, seed, 0, to);
  }

  private ModelThread thread(int concurrent, int queue) {
    return new ModelThread(model, END, 0, concurrent, queue, 1);
  }

  @Test
  void eachOfManyRequestsGetsTheTokensOfItsSamplerAndSeedAlone() throws Exception {
    Random random = new Random(1);
    List<Request> requests = new ArrayList<>();
    List<Recorder> recorders = new ArrayList<>();
    for (int i = 0; i < 60; i++) {
      int[] prompt = random.ints(1 + random.nextInt(9), 0, 20).toArray();
      Recorder recorder = new Recorder(1 + random.nextInt(3));
      TokenSampler sampler =
          switch (i % 4) {
            case 0 -> new TokenSampler(0, 1);
            case 1 -> new TokenSampler(0.8, 1, 0, 0.05, 1.3);
            case 2 -> new TokenSampler(1.5, 1, 5);
            default -> RANDOM;
          };
      requests.add(
          request(prompt, recorder.tokens.size(), 1 + random.nextInt(12), sampler, i, recorder));
      recorders.add(recorder);
    }
    try (ModelThread thread = thread(5, 60)) {
      for (int i = 0; i < 60; i++) {
        assertThat(thread.submit(requests.get(i), recorders.get(i))).isEqualTo(Answer.TAKEN);
      }
      long tokens = 0;
      for (int i = 0; i < 60; i++) {
        Request request = requests.get(i);
        Recorder found = recorders.get(i).await();
        assertThat(found.failure).isNull();
        Generator alone = new Generator(model, END, request.sampler(), request.seed());
        List<Generator.Completion> expected = new ArrayList<>();
        alone.generate(
            List.of(new Generator.Prompt(request.prompt(), 0)),
            request.completions(),
            request.maxNewTokens(),
            1,
            expected::addAll);
        for (int j = 0; j < expected.size(); j++) {
          assertThat(found.ids(j)).isEqualTo(IntStream.of(expected.get(j).ids()).boxed().toList());
          assertThat(found.ends[j] != null).isEqualTo(expected.get(j).ended());
          Token end = found.ends[j];
          double sum =
              found.tokens.get(j).stream().mapToDouble(Token::logProb).sum()
                  + (end == null ? 0 : end.logProb());
          assertThat(sum).isCloseTo(expected.get(j).logProb(), within(1e-9));
          tokens += expected.get(j).count();
        }
      }
      ModelThread.Load load = thread.load();
      assertThat(load.tokens()).isEqualTo(tokens);
      assertThat(load.promptTokens())
          .isEqualTo(requests.stream().mapToInt(request -> request.prompt().length).sum());
      assertThat(load.waiting()).isZero();
    }
  }

  @Test
  void theMostProbableTokensAreNamedBesideEachToken() throws Exception {
    Recorder recorder = new Recorder(1);
    try (ModelThread thread = thread(2, 2)) {
      thread.submit(
          new Request(new int[] {1, 7}, 0, 1, 5, new TokenSampler(0, 1), 0, 3, recorder), recorder);
      recorder.await();
    }
    assertThat(recorder.tokens.get(0)).isNotEmpty();
    for (Token token : recorder.tokens.get(0)) {
      assertThat(token.alternatives()).hasSize(3);
      assertThat(token.alternatives().get(0).id()).isEqualTo(token.id()); // it is greedy
      assertThat(token.alternatives().get(0).logProb()).isCloseTo(token.logProb(), within(1e-12));
      assertThat(token.alternatives())
          .isSortedAccordingTo((a, b) -> Double.compare(b.logProb(), a.logProb()));
    }
  }

  @Test
  void aRequestThatFindsNoPlaceInTheQueueIsRefused() throws Exception {
    CountDownLatch hold = new CountDownLatch(1);
    Recorder held =
        new Recorder(1) {
          @Override
          public boolean token(int completion, Token token) {
            super.token(completion, token);
            try {
              return hold.await(1, TimeUnit.MINUTES);
            } catch (InterruptedException e) {
              throw new IllegalStateException(e);
            }
          }
        };
    Recorder second = new Recorder(1);
    Recorder third = new Recorder(1);
    try (ModelThread thread = thread(1, 1)) {
      assertThat(thread.submit(request(new int[] {1}, 1, 4, RANDOM, 1, held), held))
          .isEqualTo(Answer.TAKEN);
      assertThat(held.first.await(1, TimeUnit.MINUTES)).isTrue();
      assertThat(thread.submit(request(new int[] {1}, 1, 4, RANDOM, 1, second), second))
          .isEqualTo(Answer.TAKEN);
      assertThat(thread.submit(request(new int[] {1}, 1, 4, RANDOM, 1, third), third))
          .isEqualTo(Answer.FULL);
      assertThat(thread.load().waiting()).isEqualTo(1);
      hold.countDown();
      assertThat(second.await().ids(0)).isEqualTo(held.await().ids(0));
      assertThat(thread.submit(request(new int[] {1}, 1, 4, RANDOM, 1, third), third))
          .isEqualTo(Answer.TAKEN);
      assertThat(third.await().ids(0)).isEqualTo(held.ids(0));
    }
  }

  @Test
  void aCancelledRequestEndsAndTheOthersGoOn() throws Exception {
    Recorder leaving =
        new Recorder(2) {
          @Override
          public boolean token(int completion, Token token) {
            cancelled |= tokens.get(0).size() == 3;
            return super.token(completion, token);
          }
        };
    Recorder staying = new Recorder(1);
    try (ModelThread thread = new ModelThread(model, Set.of(), 0, 4, 4, 1)) {
      thread.submit(request(new int[] {1, 7}, 2, 28, RANDOM, 1, leaving), leaving);
      thread.submit(request(new int[] {1, 7}, 1, 25, RANDOM, 2, staying), staying);
      leaving.await();
      assertThat(leaving.tokens).allMatch(ids -> ids.size() <= 5);
      assertThat(staying.await().ids(0)).hasSize(25);
    }
  }

  @Test
  void aReceiverThatFailsEndsItsOwnRequestAlone() throws Exception {
    Recorder failing =
        new Recorder(2) {
          @Override
          public boolean token(int completion, Token token) {
            throw new IllegalStateException("no text");
          }
        };
    Recorder other = new Recorder(1);
    try (ModelThread thread = new ModelThread(model, Set.of(), 0, 4, 4, 1)) {
      thread.submit(request(new int[] {1, 7}, 2, 20, RANDOM, 1, failing), failing);
      thread.submit(request(new int[] {1, 7}, 1, 20, RANDOM, 2, other), other);
      assertThat(failing.await().failure).hasMessage("no text");
      assertThat(other.await().ids(0)).hasSize(20);
    }
  }

  @Test
  void aPromptThatDoesNotFitIsRefusedAndTheContextEndsACompletion() throws Exception {
    Recorder recorder = new Recorder(1);
    try (ModelThread thread = new ModelThread(model, Set.of(), 10, 4, 4, 1)) {
      assertThat(thread.positions()).isEqualTo(10);
      for (int[] prompt : new int[][] {{}, new int[10], {-1}}) {
        assertThatThrownBy(
                () -> thread.submit(request(prompt, 1, 5, RANDOM, 1, recorder), recorder))
            .isInstanceOf(DpoException.class);
      }
      thread.submit(request(new int[7], 1, 50, RANDOM, 1, recorder), recorder);
      assertThat(recorder.await().ids(0)).hasSize(3);
    }
  }

  @Test
  void aClosedThreadFailsWhatItDidNotEndAndTakesNothing() throws Exception {
    Recorder running = new Recorder(1);
    Recorder waiting = new Recorder(1);
    ModelThread thread = new ModelThread(model, Set.of(), 0, 1, 4, 1);
    Recorder endless =
        new Recorder(1) {
          @Override
          public boolean token(int completion, Token token) {
            try {
              TimeUnit.MILLISECONDS.sleep(20); // 28 tokens take longer than the patience
            } catch (InterruptedException e) {
              throw new IllegalStateException(e);
            }
            return super.token(completion, token);
          }
        };
    thread.submit(request(new int[] {1}, 1, 28, RANDOM, 1, endless), endless);
    assertThat(endless.first.await(1, TimeUnit.MINUTES)).isTrue();
    thread.submit(request(new int[] {1}, 1, 3, RANDOM, 1, waiting), waiting);
    thread.close(Duration.ofMillis(100));
    assertThat(waiting.await().failure).hasMessage("generation is being stopped");
    assertThat(endless.await().failure).hasMessage("generation is being stopped");
    assertThat(endless.ids(0)).hasSizeLessThan(28);
    assertThat(thread.submit(request(new int[] {1}, 1, 3, RANDOM, 1, running), running))
        .isEqualTo(Answer.CLOSED);
  }

  @Test
  void aRunningRequestIsCompletedWithinThePatience() throws Exception {
    Recorder recorder = new Recorder(1);
    ModelThread thread = new ModelThread(model, Set.of(), 0, 1, 4, 1);
    thread.submit(request(new int[] {1}, 1, 25, RANDOM, 1, recorder), recorder);
    assertThat(recorder.first.await(1, TimeUnit.MINUTES)).isTrue();
    thread.close(Duration.ofMinutes(1));
    assertThat(recorder.await().failure).isNull();
    assertThat(recorder.ids(0)).hasSize(25);
  }

  @Test
  void requestsLeaveNoTensorBehind() throws Exception {
    for (int i = 0; i < 2; i++) { // what is made once stays
      long before = TensorScope.liveHandles();
      try (ModelThread thread = thread(3, 20)) {
        List<Recorder> all = new ArrayList<>();
        for (int j = 0; j < 20; j++) {
          Recorder recorder = new Recorder(1);
          thread.submit(request(new int[] {j, 1}, 1, 10, RANDOM, j, recorder), recorder);
          all.add(recorder);
        }
        for (Recorder recorder : all) {
          recorder.await();
        }
      }
      System.gc();
      if (i == 1) {
        assertThat(TensorScope.liveHandles()).isLessThanOrEqualTo(before);
      }
    }
  }
}
