package org.dpo4j.run;

import java.nio.file.Path;
import java.util.function.Supplier;
import org.dpo4j.OptionText;
import org.dpo4j.checkpoint.OutputFolder;
import org.dpo4j.report.RunOutput;

/**
 * Cleans up when the process is stopped (Ctrl-C) during a run: removes unfinished output and prints
 * what was saved and what was not. The JVM then ends with 130.
 */
public final class InterruptedOutput implements AutoCloseable {

  private final Thread thread;

  private InterruptedOutput(Thread thread) {
    this.thread = thread;
  }

  /** Runs the supplier when the process is stopped, and prints its text. */
  public static InterruptedOutput watch(RunOutput output, Supplier<String> cleanUp) {
    Thread thread = new Thread(() -> output.err().println(cleanUp.get()), "interrupted");
    Runtime.getRuntime().addShutdownHook(thread);
    return new InterruptedOutput(thread);
  }

  /**
   * Removes an unpublished folder when the process is stopped.
   *
   * @param what the folder will hold: "model"
   * @param path of the folder as the user gave it
   */
  public static InterruptedOutput watch(
      RunOutput output, String what, OutputFolder folder, Path path) {
    return watch(
        output,
        () -> {
          folder.close(); // waits while the files are being put in place
          if (folder.published()) {
            return "interrupted after the %s was saved in %s".formatted(what, path);
          }
          return folder.checkpoints().all().stream()
              .findFirst()
              .map(
                  saved ->
                      output.styled(
                          OptionText.of(
                              "interrupted: %s was saved before; to continue from it, repeat the"
                                  + " command with {resume_from_checkpoint} true",
                              path.resolve(saved.getFileName()))))
              .orElseGet(
                  () ->
                      "interrupted: no %s was saved (%s %s)"
                          .formatted(
                              what, path, folder.existed() ? "is as it was" : "was not created"));
        });
  }

  @Override
  public void close() {
    try {
      Runtime.getRuntime().removeShutdownHook(thread);
    } catch (IllegalStateException e) {
      // The process is being stopped: the hook runs already.
    }
  }
}
