package org.dpo4j.examples.service;

import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.dpo4j.Cancellation;
import org.dpo4j.Message;
import org.dpo4j.TrainingResult;
import org.dpo4j.api.LanguageModel;
import org.dpo4j.api.PreferenceTuning;
import org.dpo4j.api.Sampling;
import org.springframework.beans.factory.annotation.Value;
import org.springframework.boot.SpringApplication;
import org.springframework.boot.autoconfigure.SpringBootApplication;
import org.springframework.context.annotation.Bean;
import org.springframework.web.bind.annotation.DeleteMapping;
import org.springframework.web.bind.annotation.PostMapping;
import org.springframework.web.bind.annotation.RequestBody;
import org.springframework.web.bind.annotation.RequestParam;
import org.springframework.web.bind.annotation.RestController;
import org.springframework.web.servlet.mvc.method.annotation.ResponseBodyEmitter;

/** A service that answers with a model and tunes it: one model per bean, one run at a time. */
@SpringBootApplication
@RestController
public class Service {

  private final LanguageModel model;
  private final Path folder;
  private final ExecutorService runs; // one thread: a second run waits for the first
  private final ExecutorService answers;
  private volatile Cancellation cancellation = new Cancellation();

  Service(
      LanguageModel model,
      @Value("${dpo4j.model}") Path folder,
      ExecutorService runs,
      ExecutorService answers) {
    this.model = model;
    this.folder = folder;
    this.runs = runs;
    this.answers = answers;
  }

  public static void main(String[] args) {
    SpringApplication.run(Service.class, args);
  }

  /** Beans that Spring closes at shutdown, the executors before the model that they use. */
  @org.springframework.context.annotation.Configuration
  static class Beans {

    @Bean(destroyMethod = "close")
    LanguageModel model(@Value("${dpo4j.model}") Path folder) {
      return LanguageModel.open(folder);
    }

    @Bean(destroyMethod = "shutdownNow")
    ExecutorService runs() {
      return Executors.newSingleThreadExecutor();
    }

    @Bean(destroyMethod = "shutdownNow")
    ExecutorService answers(LanguageModel model) {
      return Executors.newCachedThreadPool();
    }
  }

  /** Streams an answer; other requests use the model between two pieces. */
  @PostMapping("/answer")
  ResponseBodyEmitter answer(@RequestBody String question) {
    ResponseBodyEmitter emitter = new ResponseBodyEmitter();
    answers.execute(
        () -> {
          try {
            List<Message> messages = List.of(Message.user(question));
            model.generate(messages, Sampling.greedy(200), piece -> send(emitter, piece));
            emitter.complete();
          } catch (RuntimeException e) {
            emitter.completeWithError(e);
          }
        });
    return emitter;
  }

  private static void send(ResponseBodyEmitter emitter, String piece) {
    try {
      emitter.send(piece);
    } catch (IOException e) {
      throw new IllegalStateException("the client is gone", e); // ends the generation
    }
  }

  /** Starts a run, or puts it into the queue. */
  @PostMapping("/tune")
  void tune(@RequestParam Path pairs, @RequestParam Path out) {
    Cancellation own = new Cancellation();
    cancellation = own;
    Future<TrainingResult> unused =
        runs.submit(() -> PreferenceTuning.of(folder, pairs).cancellation(own).train(out));
  }

  /** Ends the last run after its current step; what it has learned is saved. */
  @DeleteMapping("/tune")
  void cancel() {
    cancellation.cancel();
  }
}
