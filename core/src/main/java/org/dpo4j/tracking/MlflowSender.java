package org.dpo4j.tracking;

import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import org.dpo4j.report.ShortNumber;
import org.jspecify.annotations.Nullable;

/**
 * The thread that talks to an MLflow server. Entries wait in a queue with a bound; a failure that
 * may pass is tried again, with growing pauses, until the run is over; another one ends the
 * sending. Either is told once, and at the end what is lost.
 */
final class MlflowSender {

  /**
   * What the server is to know of a run.
   *
   * @param name of a new run
   * @param continued whether it goes on from a checkpoint
   * @param recorded id of the run that is continued, if it is known
   */
  record Run(
      String name,
      boolean continued,
      Optional<String> recorded,
      Map<String, String> parameters,
      Map<String, String> tags) {}

  /** The run on the server. */
  record Started(String experiment, String id) {}

  private record Entry(Map<String, Number> values, long milliseconds) {
    long step() {
      return values.getOrDefault("step", 0).longValue();
    }
  }

  /** A request, or several that are repeated together. */
  private interface Request {
    void send() throws TrackingFailure, InterruptedException;
  }

  private final MlflowServer server;
  private final MlflowApi api;
  private final Patience patience;
  private final Run run;
  private final long began = System.currentTimeMillis();
  private final Thread thread;

  // guarded by this
  private final Deque<Entry> waiting = new ArrayDeque<>();
  private final List<String> warnings = new ArrayList<>();
  private @Nullable Started started;
  private @Nullable String status; // of the run, when it is over
  private boolean closed; // nothing more is sent
  private int lost;
  private long firstLost = Long.MAX_VALUE;
  private long lastLost;

  // of the thread alone
  private @Nullable String experiment; // its id
  private Map<String, Long> known = Map.of(); // the last step of each metric on the server
  private Set<String> parameters = Set.of(); // on the server
  private long highest;
  private boolean troubled;

  MlflowSender(MlflowServer server, Patience patience, Run run) {
    this.server = server;
    this.api = new MlflowApi(server, patience);
    this.patience = patience;
    this.run = run;
    this.thread = new Thread(this::work, "mlflow");
    thread.setDaemon(true);
  }

  void start() {
    thread.start();
  }

  /** Queues an entry of the log; never waits. */
  synchronized void add(Map<String, Number> values) {
    Entry entry = new Entry(values, System.currentTimeMillis());
    if (closed || waiting.size() >= patience.waiting()) {
      lose(entry);
    } else {
      waiting.add(entry);
      notifyAll();
    }
  }

  private void lose(Entry entry) {
    lost++;
    firstLost = Math.min(firstLost, entry.step());
    lastLost = Math.max(lastLost, entry.step());
  }

  /** What the user should know, once. */
  synchronized List<String> takeWarnings() {
    List<String> taken = List.copyOf(warnings);
    warnings.clear();
    return taken;
  }

  /** The run on the server, when it is known. */
  synchronized Optional<Started> started() {
    return Optional.ofNullable(started);
  }

  /** Where a browser shows the run. */
  Optional<String> page() {
    return started().map(found -> server.page(found.experiment(), found.id()));
  }

  /** Whether everything has arrived. */
  synchronized boolean complete() {
    return lost == 0;
  }

  /** Sends what is left and the status, as far as that is possible in the time for it. */
  void finish(String end) {
    synchronized (this) {
      status = end;
      notifyAll();
    }
    try {
      if (!Thread.currentThread().isInterrupted()) {
        thread.join(patience.end().toMillis());
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt(); // whoever waits for this run waits no longer
    }
    synchronized (this) {
      boolean late = !closed;
      close();
      if (lost > 0) {
        warnings.add(
            "MLflow lacks %s of this run (steps %d to %d)%s; trainer_state.json has all"
                .formatted(
                    ShortNumber.count(lost, "log line"),
                    firstLost,
                    lastLost,
                    late ? ": %s took them too slowly".formatted(server) : ""));
      } else if (late) {
        warnings.add(
            "MLflow at %s was not told that the run is over, since it answers too slowly"
                .formatted(server));
      }
    }
    thread.interrupt();
  }

  private synchronized void close() {
    closed = true;
    waiting.forEach(this::lose);
    waiting.clear();
  }

  private void work() {
    try {
      retry(this::open);
      retry(this::describe);
      for (List<Entry> batch = next(); !batch.isEmpty(); batch = next()) {
        List<MlflowApi.Metric> metrics = metrics(batch);
        if (!metrics.isEmpty()) {
          retry(() -> api.logMetrics(id(), metrics));
        }
        sent(batch.size());
      }
      retry(() -> api.update(id(), status(), Optional.of(System.currentTimeMillis())));
      synchronized (this) {
        closed = true;
      }
    } catch (TrackingFailure e) {
      synchronized (this) {
        if (!closed) {
          warnings.add(
              "nothing more is sent to MLflow: %s; training goes on, and metrics.jsonl has all"
                  .formatted(e.getMessage()));
          close();
        }
      }
    } catch (InterruptedException e) {
      // The run is over, and what was not sent is counted.
    } catch (RuntimeException e) { // a thread's last word would go to the standard streams
      synchronized (this) {
        warnings.add("nothing more is sent to MLflow: unexpected " + e);
        close();
      }
    }
  }

  /** Finds or starts the run. */
  private void open() throws TrackingFailure, InterruptedException {
    Optional<String> named = server.run();
    Optional<String> earlier = named.or(run::recorded);
    if (earlier.isPresent()) {
      Optional<MlflowApi.Known> found = api.run(earlier.get()).filter(MlflowApi.Known::active);
      if (found.isPresent()) {
        goOn(earlier.get(), found.get());
        return;
      }
      if (named.isPresent()) {
        throw TrackingFailure.lasting(
            "%s has no run %s, which %s names".formatted(server, named.get(), MlflowServer.RUN),
            null);
      }
    }
    String place = experiment;
    if (place == null) {
      Optional<String> name = server.experiment();
      place = name.isPresent() ? api.experiment(name.get()) : server.experimentId().orElseThrow();
      experiment = place;
    }
    begin(new Started(place, api.createRun(place, run.name(), began, run.tags())));
  }

  /** The server keeps what a run has: values that come again would be there twice. */
  private void goOn(String id, MlflowApi.Known found) throws TrackingFailure, InterruptedException {
    api.update(id, "RUNNING", Optional.empty());
    if (run.continued()) {
      known = found.steps();
    }
    parameters = found.parameters();
    begin(new Started(found.experiment(), id));
  }

  /** A parameter that the run has already cannot be changed. */
  private void describe() throws TrackingFailure, InterruptedException {
    Map<String, String> fresh = new LinkedHashMap<>(run.parameters());
    fresh.keySet().removeAll(parameters);
    List<String> names = List.copyOf(fresh.keySet());
    for (int i = 0; i < names.size(); i += MlflowApi.MOST_PARAMETERS) {
      Map<String, String> part = new LinkedHashMap<>();
      names
          .subList(i, Math.min(names.size(), i + MlflowApi.MOST_PARAMETERS))
          .forEach(name -> part.put(name, fresh.getOrDefault(name, "")));
      api.logParameters(id(), part);
    }
  }

  private synchronized void begin(Started found) {
    started = found;
  }

  private String id() {
    return started().orElseThrow().id();
  }

  private synchronized String status() {
    return status == null ? "RUNNING" : status;
  }

  /** The entries of the next request; waits for one. Empty when the run is over. */
  private synchronized List<Entry> next() throws InterruptedException {
    while (waiting.isEmpty() && status == null) {
      wait();
    }
    List<Entry> batch = new ArrayList<>();
    int values = 0;
    for (Entry entry : waiting) {
      values += entry.values().size();
      if (values > MlflowApi.MOST_METRICS && !batch.isEmpty()) {
        break;
      }
      batch.add(entry);
    }
    return batch;
  }

  /** Entries leave the queue when they have arrived: else they count as lost. */
  private synchronized void sent(int count) {
    for (int i = 0; i < count && !waiting.isEmpty(); i++) {
      waiting.remove();
    }
  }

  /**
   * The values that the server does not have. The last evaluation may be of an earlier step, whose
   * weights are saved; it is sent.
   */
  private List<MlflowApi.Metric> metrics(List<Entry> batch) {
    List<MlflowApi.Metric> metrics = new ArrayList<>();
    for (Entry entry : batch) {
      boolean goesBack = entry.step() < highest;
      highest = Math.max(highest, entry.step());
      entry
          .values()
          .forEach(
              (name, value) -> {
                boolean there = !goesBack && known.getOrDefault(name, -1L) >= entry.step();
                if (!name.equals("step") && !there) {
                  metrics.add(
                      new MlflowApi.Metric(
                          name, value.doubleValue(), entry.milliseconds(), entry.step()));
                }
              });
    }
    return metrics;
  }

  /** Repeats a request until it succeeds; once more at most when the run is over. */
  private void retry(Request request) throws TrackingFailure, InterruptedException {
    Duration pause = patience.firstPause();
    while (true) {
      boolean last;
      synchronized (this) {
        last = status != null;
      }
      try {
        request.send();
        return;
      } catch (TrackingFailure e) {
        if (!e.isPassing() || last) {
          throw e;
        }
        warnOnce(e);
      }
      pause(pause);
      Duration next = pause.multipliedBy(2);
      pause = next.compareTo(patience.longestPause()) > 0 ? patience.longestPause() : next;
    }
  }

  private synchronized void warnOnce(TrackingFailure failure) {
    if (!troubled) {
      troubled = true;
      warnings.add(
          "MLflow does not get the metrics now: %s; training goes on, and sending is tried again"
              .formatted(failure.getMessage()));
    }
  }

  /** Ends early when the run is over. */
  private synchronized void pause(Duration length) throws InterruptedException {
    long end = System.nanoTime() + length.toNanos();
    for (long left = length.toNanos(); left > 0 && status == null; left = end - System.nanoTime()) {
      TimeUnit.NANOSECONDS.timedWait(this, left);
    }
  }
}
