package org.dpo4j.spark;

import java.io.IOException;
import java.io.Serializable;
import java.net.ServerSocket;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import java.util.function.Function;
import org.apache.spark.BarrierTaskContext;
import org.dpo4j.Cancellation;
import org.dpo4j.DpoException;
import org.dpo4j.TrainingResult;
import org.dpo4j.config.TrainingConfig;
import org.dpo4j.report.Progress;
import org.dpo4j.report.RunOutput;
import org.dpo4j.run.ProgramInputs;
import org.dpo4j.run.TrainingRun;
import scala.collection.Iterator;
import scala.jdk.javaapi.CollectionConverters;

/** A task of a training job: one rank. That of rank 0 gives the result. */
final class RankTask implements Function<Iterator<Integer>, Iterator<TunedModel>>, Serializable {
  private static final long serialVersionUID = 1;

  /** Threads and native memory are those of the process, so it is one rank at a time. */
  private static final Semaphore PROCESS = new Semaphore(1);

  /** A rank of an earlier attempt ends when it notices that another one is gone. */
  private static final int SECONDS_TO_END = 120;

  private static final long POLL_MILLIS = 500;

  private final String job;
  private final LinkedHashMap<String, Object> options;

  /**
   * A task.
   *
   * @param job identifies the job
   * @param options of the run
   */
  RankTask(String job, Map<String, Object> options) {
    this.job = job;
    this.options = new LinkedHashMap<>(options);
  }

  @Override
  public Iterator<TunedModel> apply(Iterator<Integer> numbers) {
    BarrierTaskContext task = BarrierTaskContext.get();
    boolean alone;
    try {
      alone = PROCESS.tryAcquire(SECONDS_TO_END, TimeUnit.SECONDS);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new DpoException("the task was interrupted before it began", e);
    }
    if (!alone) {
      throw new DpoException(
          "each rank needs an executor of its own but another one is still running in this process; set spark.task.cpus to spark.executor.cores, use local-cluster in place of local, or wait until the rank of an earlier attempt has ended");
    }
    try {
      TrainingResult result = run(task);
      return CollectionConverters.asScala(
          task.partitionId() == 0
              ? List.of(tuned(result)).iterator()
              : List.<TunedModel>of().iterator());
    } finally {
      PROCESS.release();
    }
  }

  private TrainingResult run(BarrierTaskContext task) {
    int rank = task.partitionId();
    String address = task.getTaskInfos()[0].address();
    String port = task.allGather(rank == 0 ? Integer.toString(freePort()) : "")[0];
    LinkedHashMap<String, Object> own = new LinkedHashMap<>(options);
    Attempts attempts = new Attempts(job, SparkTuning.outputFolder(own));
    attempts.prepare(own);
    Thread guard = interruptIfKilled(task, Thread.currentThread());
    try {
      return train(own, rank, address, port, task, attempts);
    } finally {
      guard.interrupt();
    }
  }

  /** Spark tells a task that it is to end, but leaves its thread alone. */
  private static Thread interruptIfKilled(BarrierTaskContext task, Thread training) {
    Thread guard =
        new Thread(
            () -> {
              try {
                while (!task.isInterrupted()) {
                  Thread.sleep(POLL_MILLIS);
                }
                training.interrupt();
              } catch (InterruptedException e) {
                // The training has ended.
              }
            },
            "dpo4j task guard");
    guard.setDaemon(true);
    guard.start();
    return guard;
  }

  private static TrainingResult train(
      Map<String, Object> own,
      int rank,
      String address,
      String port,
      BarrierTaskContext task,
      Attempts attempts) {
    Map<String, String> environment = new HashMap<>(System.getenv()); // such as MLflow's address
    environment.put("MASTER_ADDR", address.substring(0, address.lastIndexOf(':')));
    environment.put("MASTER_PORT", port);
    environment.put("RANK", Integer.toString(rank));
    environment.put("WORLD_SIZE", Integer.toString(task.getTaskInfos().length));
    return TrainingRun.run(
        TrainingConfig.of(NodeOptions.of(own).values()),
        ProgramInputs.NONE,
        new RunOutput(System.out, System.err, Progress.NONE),
        environment,
        new Cancellation(),
        List.of(attempts.listener()));
  }

  private static int freePort() {
    try (ServerSocket socket = new ServerSocket(0)) {
      return socket.getLocalPort();
    } catch (IOException e) {
      throw new DpoException("rank 0 found no free port: " + e.getMessage(), e);
    }
  }

  private static TunedModel tuned(TrainingResult result) {
    return new TunedModel(
        result.outputFolder().toString(),
        result.endReason(),
        result.steps(),
        result.maxSteps(),
        result.examplesSeen(),
        result.seconds());
  }
}
