package org.dpo4j.spark;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/**
 * Kills executors at random, as {@code kill -9} does, one at a time, until closed or until it has
 * killed as many as it may.
 */
final class ExecutorKiller implements AutoCloseable {
  private static final int EXECUTORS = 2;
  private static final long POLL_MILLIS = 50;

  private final Random random;
  private final int most;
  private final long shortestMillis;
  private final long longestMillis;
  private final List<String> kills = new ArrayList<>();
  private final Thread thread;

  /**
   * Starts to kill.
   *
   * @param most so many at most
   * @param shortestSeconds after both executors are there, both live at least so long
   * @param longestSeconds and one of them at most so long
   * @param watched its listing is part of the description of a kill
   */
  ExecutorKiller(long seed, int most, int shortestSeconds, int longestSeconds, Path watched) {
    this.random = new Random(seed);
    this.most = most;
    this.shortestMillis = TimeUnit.SECONDS.toMillis(shortestSeconds);
    this.longestMillis = TimeUnit.SECONDS.toMillis(longestSeconds);
    this.thread = new Thread(() -> kill(watched), "executor killer");
    thread.setDaemon(true);
    thread.start();
  }

  private void kill(Path watched) {
    try {
      for (int i = 0; i < most; i++) {
        List<ProcessHandle> executors = SparkFixture.executors();
        while (executors.size() < EXECUTORS) {
          TimeUnit.MILLISECONDS.sleep(POLL_MILLIS);
          executors = SparkFixture.executors();
        }
        long millis = random.nextLong(shortestMillis, longestMillis);
        TimeUnit.MILLISECONDS.sleep(millis);
        ProcessHandle one = executors.get(random.nextInt(EXECUTORS));
        String found = names(watched);
        if (one.destroyForcibly()) {
          one.onExit().join();
          synchronized (kills) {
            kills.add("after %d ms, output: %s".formatted(millis, found));
          }
        }
      }
    } catch (InterruptedException e) {
      // The job has ended.
    }
  }

  private static String names(Path folder) {
    String[] names = folder.toFile().list();
    return names == null ? "none" : Stream.of(names).sorted().collect(Collectors.joining(" "));
  }

  /** Ends; gives a description of each kill. */
  List<String> end() throws InterruptedException {
    thread.interrupt();
    thread.join();
    synchronized (kills) {
      return List.copyOf(kills);
    }
  }

  @Override
  public void close() throws InterruptedException {
    end();
  }
}
