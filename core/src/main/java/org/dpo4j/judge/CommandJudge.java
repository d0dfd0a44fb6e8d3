package org.dpo4j.judge;

import java.io.File;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import org.dpo4j.DpoException;
import org.dpo4j.Message;
import org.dpo4j.checkpoint.FileTrees;
import org.dpo4j.data.SampledPrompt;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.json.JsonMapper;

/**
 * Runs a command of the user for each completion, in an empty folder of its own. Only the user's
 * text reaches a shell: the completion is in a file and on the standard input. The command has the
 * rights of this process: it is limited, and not isolated.
 */
final class CommandJudge implements Judge {
  /** The shell's codes for a command that cannot be run and one that is not there. */
  private static final int CANNOT_RUN = 126;

  private static final int NOT_FOUND = 127;
  private static final int SHOWN = 400;

  /** Two blocks of 512 bytes, the unit of ulimit, are a kilobyte. */
  private static final int BLOCKS = 2;

  private final String command;
  private final CommandLimits limits;
  private final ExecutorService threads;
  private volatile boolean ran;
  private volatile String complaint = ""; // of a shell that did not find the command

  CommandJudge(String command, CommandLimits limits, int parallel) {
    this.command = command;
    this.limits = limits;
    this.threads = Executors.newFixedThreadPool(parallel);
  }

  @Override
  public double[] scores(SampledPrompt prompt) {
    List<Future<Boolean>> runs = new ArrayList<>();
    for (SampledPrompt.Completion completion : prompt.completions()) {
      runs.add(threads.submit(() -> passes(prompt, completion)));
    }
    double[] scores = new double[runs.size()];
    for (int i = 0; i < scores.length; i++) {
      scores[i] = result(runs.get(i)) ? 1 : 0;
    }
    return scores;
  }

  /** A completion that is run may name a command that is not there; not every one does. */
  @Override
  public void end() {
    if (!ran) {
      throw new DpoException(
          "the command \"%s\" could not be run for any completion: %s; check its path"
              .formatted(command, complaint));
    }
  }

  private static boolean result(Future<Boolean> run) {
    try {
      return run.get();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new DpoException("the thread was interrupted while a command judged", e);
    } catch (ExecutionException e) {
      if (e.getCause() instanceof DpoException known) {
        throw known;
      }
      throw new DpoException("the command could not be run: " + e.getMessage(), e);
    }
  }

  private boolean passes(SampledPrompt prompt, SampledPrompt.Completion completion)
      throws IOException, InterruptedException {
    Path root = Files.createTempDirectory("dpo4j-judge-");
    try {
      Path folder = Files.createDirectory(root.resolve("work"));
      Path text = Files.writeString(folder.resolve("completion.txt"), completion.text());
      Files.writeString(
          folder.resolve("row.json"),
          JsonMapper.shared().writeValueAsString(row(prompt, completion)));
      File output = root.resolve("output").toFile();
      ProcessBuilder builder =
          new ProcessBuilder("sh", "-c", limiting() + command)
              .directory(folder.toFile())
              .redirectInput(text.toFile())
              .redirectErrorStream(true)
              .redirectOutput(output);
      environment(builder.environment(), folder);
      return passes(builder.start(), output.toPath());
    } finally {
      FileTrees.delete(root);
    }
  }

  private boolean passes(Process process, Path output) throws IOException, InterruptedException {
    try {
      if (!process.waitFor(limits.seconds(), TimeUnit.SECONDS)) {
        ran = true;
        return false;
      }
      int code = process.exitValue();
      if (code == CANNOT_RUN || code == NOT_FOUND) {
        complaint = beginning(output);
      } else {
        ran = true;
      }
      return code == 0;
    } finally {
      List<ProcessHandle> children = process.descendants().toList();
      process.destroyForcibly(); // first, so that it starts no others
      children.forEach(ProcessHandle::destroyForcibly);
      process.waitFor();
    }
  }

  /** Shell commands that limit what follows: the size of files, and seconds of the processor. */
  private String limiting() {
    return "ulimit -f %d; ulimit -t %d; ".formatted(BLOCKS * limits.kilobytes(), limits.seconds());
  }

  /** Nothing of this process's environment but the path, so that no secret of it is passed on. */
  private static void environment(Map<String, String> environment, Path folder) {
    String path = environment.getOrDefault("PATH", "/usr/bin:/bin");
    environment.clear();
    environment.put("PATH", path);
    environment.put("HOME", folder.toString());
    environment.put("TMPDIR", folder.toString());
    environment.put("LANG", "C.UTF-8");
  }

  private static Map<String, @Nullable Object> row(
      SampledPrompt prompt, SampledPrompt.Completion completion) {
    Map<String, @Nullable Object> row = new LinkedHashMap<>();
    String text = prompt.prompt().text();
    row.put(
        "prompt",
        text == null ? prompt.prompt().messages().stream().map(Message::fields).toList() : text);
    row.put("completion", completion.text());
    row.put("columns", prompt.columns());
    return row;
  }

  private static String beginning(Path output) throws IOException {
    try (var in = Files.newInputStream(output)) {
      return new String(in.readNBytes(SHOWN), StandardCharsets.UTF_8).strip();
    }
  }

  @Override
  public void close() {
    threads.shutdownNow();
  }
}
