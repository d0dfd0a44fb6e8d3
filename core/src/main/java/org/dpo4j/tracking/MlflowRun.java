package org.dpo4j.tracking;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Consumer;
import org.dpo4j.DpoException;
import org.dpo4j.EndReason;
import org.dpo4j.EvaluationReport;
import org.dpo4j.SavedCheckpoint;
import org.dpo4j.StepReport;
import org.dpo4j.TrainingControl;
import org.dpo4j.TrainingListener;
import org.dpo4j.TrainingResult;
import org.dpo4j.data.BoundedJson;
import org.dpo4j.data.FileFailure;
import org.dpo4j.options.BoundedFile;
import org.dpo4j.options.Limit;
import org.dpo4j.report.RunHistory;
import org.jspecify.annotations.Nullable;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.JsonNode;

/**
 * Sends a run to an MLflow tracking server: its options as parameters, and each entry of {@code
 * log_history} under its names, as transformers' {@code MLflowCallback} does. A thread of its own
 * sends ({@link MlflowSender}); this class passes entries to it, and its words to the user, on the
 * thread that trains.
 *
 * <p>The id of the run is recorded in the output folder, so that a continued run goes on with it.
 */
public final class MlflowRun implements TrainingListener {
  /**
   * What the server is told of a run besides its metrics.
   *
   * @param name of a new run
   * @param parameters options by name
   * @param tags marks by name
   */
  public record Facts(String name, Map<String, String> parameters, Map<String, String> tags) {}

  private static final String KEY_SERVER = "tracking_uri";
  private static final String KEY_RUN = "run_id";

  private final MlflowServer server;
  private final RunHistory history;
  private final Consumer<String> warn;
  private final Consumer<String> say;
  private final Patience patience;
  private @Nullable MlflowSender sender;
  private @Nullable Path record;

  /**
   * A run that sends nothing before {@link #begin}.
   *
   * @param history receives each event before this listener
   * @param warn receives a message if something does not arrive; training goes on
   * @param say receives what is worth a line
   */
  public MlflowRun(
      MlflowServer server, RunHistory history, Consumer<String> warn, Consumer<String> say) {
    this(server, history, warn, say, Patience.USUAL);
  }

  MlflowRun(
      MlflowServer server,
      RunHistory history,
      Consumer<String> warn,
      Consumer<String> say,
      Patience patience) {
    this.server = server;
    this.history = history;
    this.warn = warn;
    this.say = say;
    this.patience = patience;
  }

  /**
   * Starts to send; the entries that a continued run already has come first.
   *
   * @param file where the run's id is recorded; replaced if it exists
   * @param continued whether the run goes on from a checkpoint in the folder of {@code file}
   */
  public void begin(Path file, boolean continued, Facts facts) {
    Optional<String> recorded = continued ? recorded(file) : Optional.empty();
    if (server.exposesSecret()) {
      warn.accept(
          "the token or password for MLflow travels unencrypted to %s; use an https address"
              .formatted(server));
    }
    say.accept("metrics are sent to MLflow at %s".formatted(server));
    Map<String, String> tags = new LinkedHashMap<>(facts.tags());
    tags.putAll(server.tags());
    record = file;
    MlflowSender started =
        new MlflowSender(
            server,
            patience,
            new MlflowSender.Run(facts.name(), continued, recorded, facts.parameters(), tags));
    sender = started;
    history.log().forEach(started::add);
    started.start();
  }

  /** The recorded id of a run on this server. */
  private Optional<String> recorded(Path file) {
    if (!Files.isRegularFile(file)) {
      return Optional.empty();
    }
    try {
      JsonNode json = BoundedJson.LENIENT.readTree(BoundedFile.text(file, Limit.CONFIG_BYTES));
      return json.path(KEY_SERVER).asString("").equals(server.toString())
          ? Optional.of(json.path(KEY_RUN).asString("")).filter(id -> !id.isEmpty())
          : Optional.empty();
    } catch (IOException | JacksonException | DpoException e) {
      return Optional.empty(); // a new run of MLflow shows the whole history too
    }
  }

  @Override
  public void onReport(StepReport report, TrainingControl control) {
    addLast();
  }

  @Override
  public void onEvaluation(EvaluationReport report, TrainingControl control) {
    addLast();
  }

  @Override
  public void onCheckpoint(SavedCheckpoint saved) {
    hear();
  }

  /** Sends the last entry of the history. */
  public void addLast() {
    if (sender != null) {
      List<Map<String, Number>> log = history.log();
      sender.add(log.get(log.size() - 1));
      hear();
    }
  }

  @Override
  public void onEnd(TrainingResult result) {
    EndReason reason = result.endReason();
    boolean killed = reason == EndReason.CANCELLED || reason == EndReason.SUSPENDED;
    end(killed ? "KILLED" : "FINISHED");
  }

  @Override
  public void onFailure(Throwable failure) {
    end(Thread.currentThread().isInterrupted() ? "KILLED" : "FAILED");
  }

  private void end(String status) {
    MlflowSender running = sender;
    if (running == null) {
      return;
    }
    running.finish(status);
    hear();
    running
        .page()
        .filter(page -> running.complete())
        .ifPresent(page -> say.accept("MLflow has the metrics: " + page));
    sender = null;
  }

  /** Passes on what the sender has to say. */
  private void hear() {
    MlflowSender running = sender;
    if (running == null) {
      return;
    }
    running.takeWarnings().forEach(warn);
    Path file = record;
    Optional<MlflowSender.Started> started = running.started();
    if (file != null && started.isPresent()) {
      record = null;
      write(file, started.get());
    }
  }

  private void write(Path file, MlflowSender.Started run) {
    Map<String, String> content = new LinkedHashMap<>();
    content.put(KEY_SERVER, server.toString());
    content.put("experiment_id", run.experiment());
    content.put(KEY_RUN, run.id());
    try {
      Files.writeString(file, BoundedJson.LENIENT.writeValueAsString(content) + "\n");
    } catch (IOException e) {
      warn.accept(
          "%s could not be written (%s): a continued run will be another one in MLflow, unless %s=%s is set"
              .formatted(file, FileFailure.reason(e), MlflowServer.RUN, run.id()));
    }
  }
}
