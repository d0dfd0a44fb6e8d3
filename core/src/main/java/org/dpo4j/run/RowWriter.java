package org.dpo4j.run;

import java.io.BufferedWriter;
import java.io.IOException;
import java.io.OutputStreamWriter;
import java.io.Writer;
import java.nio.ByteBuffer;
import java.nio.channels.Channels;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import org.dpo4j.DpoException;
import org.dpo4j.ExampleKind;
import org.dpo4j.OptionText;
import org.dpo4j.UsageException;
import org.dpo4j.checkpoint.FileTrees;
import org.dpo4j.data.DataInput;
import org.dpo4j.data.FileFailure;
import org.dpo4j.data.PendingFile;
import org.dpo4j.encode.EncodedRow;
import org.dpo4j.report.RunOutput;
import org.dpo4j.report.SafeText;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.json.JsonMapper;

/**
 * Writes a file of one JSON line per row, which appears under its name when it is complete. The
 * rows of a {@linkplain #resumable resumable} file are kept when the process ends, for a later run.
 */
final class RowWriter implements AutoCloseable {

  private static final JsonMapper JSON = JsonMapper.shared();

  /** The ending of a file of rows that a later run can continue. */
  private static final String PARTIAL = ".partial";

  private static final int SHOWN_DIGITS = 8;

  private final Path output; // as the user wrote it
  private final Path target;
  private final @Nullable PendingFile pending; // null where the target is written directly
  private final BufferedWriter writer;
  private final RunOutput console;
  private final InterruptedOutput interruption;
  private final boolean resumable;
  private final int kept;
  private volatile boolean published;

  private RowWriter(
      Path output,
      Path target,
      @Nullable PendingFile pending,
      BufferedWriter writer,
      RunOutput console) {
    this(output, target, pending, writer, console, false, 0);
  }

  private RowWriter(
      Path output,
      Path target,
      @Nullable PendingFile pending,
      BufferedWriter writer,
      RunOutput console,
      boolean resumable,
      int kept) {
    this.output = output;
    this.target = target;
    this.pending = pending;
    this.writer = writer;
    this.console = console;
    this.resumable = resumable;
    this.kept = kept;
    boolean existed = Files.exists(target);
    this.interruption =
        InterruptedOutput.watch(
            console,
            () ->
                published
                    ? "interrupted after %s was written".formatted(output)
                    : "interrupted: %s %s"
                        .formatted(
                            output,
                            pending == null
                                ? "is not complete"
                                : (existed ? "is as it was" : "was not written") + remains()));
  }

  /** What is left of an unfinished file and how to go on. */
  private String remains() {
    return resumable
        ? console.styled(OptionText.of("; to continue it, repeat the command with {resume} true"))
        : "";
  }

  /**
   * Starts the file. A pipe or a device is written directly, and {@code -} is the standard output.
   *
   * @param output replaced if it exists; links are followed
   * @param inputs files that it must not replace and folders that it must not lie in
   * @param console standard output, and the stream of the closing message
   * @throws UsageException if the file cannot be written
   */
  static RowWriter open(Path output, List<Path> inputs, RunOutput console) {
    return open("output", output, inputs, console);
  }

  /**
   * As above, for a file that another option than {@code output} names.
   *
   * @param option its name, for messages
   */
  static RowWriter open(String option, Path output, List<Path> inputs, RunOutput console) {
    return open(
        option,
        output,
        inputs,
        console,
        target -> {
          PendingFile.removeStale(folder(target), String.valueOf(target.getFileName()));
          PendingFile pending = PendingFile.create(target);
          pending.path().toFile().deleteOnExit(); // Ctrl-C
          return new RowWriter(output, target, pending, writer(pending), console);
        });
  }

  /**
   * {@link #open} for a file that a later run can continue: each row is written at once, to a file
   * beside the target, which stays there if the process ends.
   *
   * @param identity hash of all that the rows depend on; only rows of the same are continued
   * @param resume whether to keep the rows of an earlier run, of which there are {@link #kept}
   * @throws UsageException if the file cannot be written, or there are rows of an earlier run and
   *     {@code resume} is false
   */
  static RowWriter resumable(
      Path output, List<Path> inputs, String identity, boolean resume, RunOutput console) {
    return open(
        "output",
        output,
        inputs,
        console,
        target -> {
          String name = target.getFileName() + "." + identity.substring(0, SHOWN_DIGITS) + PARTIAL;
          PendingFile pending = PendingFile.kept(target, target.resolveSibling(name));
          try {
            int kept = completeRows(pending);
            if (kept > 0 && !resume) {
              throw new UsageException(
                  OptionText.of(
                      "%s holds %d rows of an interrupted run with the same inputs and options; pass"
                          + " {resume} true to continue it, or remove it",
                      pending.path(), kept));
            }
            return new RowWriter(output, target, pending, writer(pending), console, true, kept);
          } catch (IOException | RuntimeException e) {
            pending.close();
            throw e;
          }
        });
  }

  /** Makes a writer for a regular file. */
  private interface Opening {
    RowWriter open(Path target) throws IOException;
  }

  private static RowWriter open(
      String option, Path output, List<Path> inputs, RunOutput console, Opening opening) {
    if (isStandardOutput(output)) {
      Writer out = new OutputStreamWriter(console.data(), StandardCharsets.UTF_8);
      return new RowWriter(output, output, null, new BufferedWriter(out), console);
    }
    if (Files.isDirectory(output)) {
      throw new UsageException(
          option, "must be a file", "%s is a folder".formatted(output), "name a file");
    }
    try {
      Path target =
          Files.exists(output) ? output.toRealPath() : output.toAbsolutePath().normalize();
      if (Files.exists(target) && !Files.isRegularFile(target)) {
        return new RowWriter(output, target, null, Files.newBufferedWriter(target), console);
      }
      refuseInputs(option, output, FileTrees.real(target), inputs);
      Files.createDirectories(folder(target));
      return opening.open(target);
    } catch (IOException e) {
      throw new UsageException(
          option,
          "must be a file that can be written",
          "%s was not: %s".formatted(output, FileFailure.reason(e)),
          "check the path",
          e);
    }
  }

  private static Path folder(Path target) {
    return Objects.requireNonNull(target.getParent(), "a root is a folder");
  }

  private static BufferedWriter writer(PendingFile pending) {
    return new BufferedWriter(Channels.newWriter(pending.channel(), StandardCharsets.UTF_8));
  }

  /** Counts the complete lines and cuts off what follows them; the next row is written there. */
  private static int completeRows(PendingFile pending) throws IOException {
    FileChannel channel = pending.channel();
    int rows = 0;
    long end = 0;
    long position = 0;
    ByteBuffer piece = ByteBuffer.allocate(1 << 16);
    while (channel.read(piece.clear(), position) > 0) {
      piece.flip();
      while (piece.hasRemaining()) {
        position++;
        if (piece.get() == '\n') {
          rows++;
          end = position;
        }
      }
    }
    channel.truncate(end).position(end);
    return rows;
  }

  /** Number of rows that an earlier run wrote. */
  int kept() {
    return kept;
  }

  static boolean isStandardOutput(Path output) {
    return output.toString().equals("-");
  }

  /**
   * Prints a summary of the rows and the path of the file; on the error stream if the rows are on
   * standard output.
   */
  void say(List<String> lines) {
    Prose prose = prose();
    lines.forEach(prose::print);
    if (!isStandardOutput(output)) {
      prose.stream().println("written to " + output);
    }
  }

  /** Where text for people goes: the error stream if the rows are on standard output. */
  Prose prose() {
    return new Prose(isStandardOutput(output) ? console.err() : console.out(), console);
  }

  private static void refuseInputs(String option, Path output, Path real, List<Path> inputs) {
    for (Path input : inputs) {
      boolean in = Files.isDirectory(input) && real.startsWith(FileTrees.real(input));
      if (in || real.equals(FileTrees.real(input))) {
        throw new UsageException(
            option,
            "must not touch what this run reads",
            "%s is %s".formatted(output, in ? "in " + input : "its input"),
            "name another file");
      }
    }
  }

  /** The first fields of every line; with several files they include the file. */
  Map<String, Object> start(EncodedRow row, DataInput input) {
    Map<String, Object> values = new LinkedHashMap<>();
    if (input.files() > 1) {
      values.put("file", row.origin().file());
    }
    values.put("row", row.origin().row());
    if (row.origin().rejectedIndex() > 0) {
      values.put("rejected_index", row.origin().rejectedIndex());
    }
    if (input.kind() == ExampleKind.LABELED) {
      row.usable().ifPresent(example -> values.put("label", example.isDesirable()));
    }
    values.put("status", row.status().toString());
    values.put("reason", console.styled(row.reason()));
    return values;
  }

  void write(Map<String, Object> values) {
    try {
      // Escapes that JSON reads back: the values are exact, and the file is harmless on a terminal.
      writer.write(SafeText.text(JSON.writeValueAsString(values)));
      writer.write('\n');
      if (resumable) {
        writer.flush();
      }
    } catch (IOException e) {
      throw failed(e);
    }
  }

  /** Moves the complete file into place. */
  void publish() {
    try {
      finish();
      if (pending != null) {
        pending.publish();
      }
      published = true;
    } catch (IOException e) {
      throw failed(e);
    }
  }

  /** The standard output is not closed, and reports failures only through checkError. */
  private void finish() throws IOException {
    writer.flush();
    if (isStandardOutput(output) && console.data().checkError()) {
      throw new IOException("the standard output was closed");
    }
  }

  private DpoException failed(IOException e) {
    return new DpoException(
        pending == null
            ? "[%s] could not be written: %s".formatted(output, FileFailure.reason(e))
            : "[%s] could not be written: %s; %s"
                .formatted(
                    target,
                    FileFailure.reason(e),
                    resumable
                        ? OptionText.of("make room and repeat the command with {resume} true")
                        : "nothing is left of it, so make room or name another file"),
        e);
  }

  /** Removes what was not published. */
  @Override
  public void close() {
    interruption.close();
    try {
      if (pending != null) {
        pending.close();
      } else if (isStandardOutput(output)) {
        writer.flush();
      } else {
        writer.close();
      }
    } catch (IOException e) {
      if (pending != null) {
        throw failed(e);
      }
      // A full disk was already reported by the failing write.
    }
  }
}
