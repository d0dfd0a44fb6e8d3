package org.dpo4j.checkpoint;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.UUID;
import java.util.function.Consumer;
import org.dpo4j.DpoException;
import org.dpo4j.OptionText;
import org.dpo4j.UsageException;
import org.dpo4j.data.FileFailure;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The output folder of a run, locked while the run lives. Its finished files appear together at the
 * end: they are written into a pending folder inside it; {@link #publish} forces them to the device
 * and moves them into place; {@link #close} without it removes them and leaves earlier files
 * unchanged. Checkpoints and metrics appear while the run lives.
 *
 * <p>An existing folder is kept: it may be the working directory, a link, or a mounted volume,
 * which cannot be renamed. A process may die at any time; the next run with this folder removes
 * what is incomplete and completes what was written to its end.
 *
 * <p>{@code close} may be called from a shutdown hook while another thread is still writing.
 */
public final class OutputFolder implements AutoCloseable {
  private static final Logger LOG = LoggerFactory.getLogger(OutputFolder.class);

  /** Writes one file (or folder) at the path it is given. */
  @FunctionalInterface
  public interface Content {
    void writeTo(Path file) throws IOException;
  }

  /** Renames a file; replaced in tests of failures. */
  @FunctionalInterface
  interface Move {
    void move(Path from, Path to) throws IOException;
  }

  /** How files of an earlier run in the folder are treated. */
  public enum Existing {
    /** The folder must be new or empty. */
    REFUSE,
    /** They are replaced. */
    OVERWRITE,
    /** The run continues from one of the checkpoints. */
    RESUME
  }

  private enum State {
    OPEN,
    FINISHED,
    CLOSED
  }

  private final Path target;
  private final boolean existed;
  private final Existing existing;
  private final List<Path> created;
  private final FolderLock lock;
  private final Path pending;
  private State state = State.OPEN;

  private OutputFolder(
      TargetFolder target, Existing existing, List<Path> created, FolderLock lock, Path pending) {
    this.target = target.path();
    this.existed = target.exists();
    this.existing = existing;
    this.created = created;
    this.lock = lock;
    this.pending = pending;
  }

  /** {@link #prepare(Path, Existing, List)} with no inputs to protect. */
  public static OutputFolder prepare(Path target, boolean overwrite) {
    return prepare(target, overwrite ? Existing.OVERWRITE : Existing.REFUSE, List.of());
  }

  /**
   * Checks that the folder can be written, creates and locks it, and completes or removes what a
   * dead run left in it, before any other work starts.
   *
   * @param target the folder for the finished files; may be relative, a link, the working directory
   *     or an existing empty folder; missing parents are created
   * @param existing whether a folder that an earlier run wrote may be replaced or continued
   * @param inputs folders and files that this run reads: they must not lie in {@code target}, and
   *     it must not lie in one of them
   * @throws UsageException when the folder is not empty (or, to be overwritten, not ours), is a
   *     file, holds an input or lies in one, is in use by another run, or cannot be created
   */
  public static OutputFolder prepare(Path target, Existing existing, List<Path> inputs) {
    TargetFolder checked = TargetFolder.check(target, inputs);
    List<Path> created = checked.create();
    try {
      FolderLock lock = FolderLock.acquire(checked.path());
      try {
        recover(checked.path());
        checked.checkContent(target, existing);
        Path pending =
            Files.createDirectory(checked.path().resolve(Publication.PENDING + UUID.randomUUID()));
        return new OutputFolder(checked, existing, created, lock, pending);
      } catch (IOException | RuntimeException e) {
        lock.close();
        throw e;
      }
    } catch (IOException e) {
      FileTrees.removeEmpty(created);
      throw TargetFolder.notWritable(checked.path(), e);
    } catch (RuntimeException e) {
      FileTrees.removeEmpty(created);
      throw e;
    }
  }

  private static void recover(Path target) throws IOException {
    new Publication(target, FileTrees::rename).recover();
    CheckpointFolders.recover(target);
    LiveFiles.restore(target);
  }

  /** The folder of the published files: absolute, links resolved. */
  public Path target() {
    return target;
  }

  /** Whether the folder existed before; it stays unchanged until the files are published. */
  public boolean existed() {
    return existed;
  }

  /** Whether the files are published. */
  public synchronized boolean published() {
    return state == State.FINISHED;
  }

  /** The folder of the files until they are published. */
  public Path pending() {
    return pending;
  }

  /** The checkpoints in the folder. */
  public CheckpointFolders checkpoints() {
    return new CheckpointFolders(target);
  }

  /** The file of metrics that grows while the run lives. */
  public Path metrics() {
    return target.resolve(LiveFiles.METRICS);
  }

  /** The file of answers to sample prompts that grows while the run lives. */
  public Path samples() {
    return target.resolve(LiveFiles.SAMPLES);
  }

  /** The file of the numbers of each pair that grows while the run lives. */
  public Path ledger() {
    return target.resolve(LiveFiles.LEDGER);
  }

  /** The file that names the run of MLflow, once it is known. */
  public Path mlflow() {
    return target.resolve(LiveFiles.MLFLOW);
  }

  /**
   * The place of a new file of events for TensorBoard that grows while the run lives. The event
   * files of the run that this one continues are deleted, since the new one gets all its entries; a
   * TensorBoard that is open goes on to the new one.
   *
   * @param warn receives a message if a file is in the place of the folder
   * @return empty in that case: a run need not end for its curves
   * @throws DpoException if its folder cannot be created or an old file deleted
   */
  public synchronized Optional<Path> newEvents(Consumer<String> warn) {
    requireOpen();
    Path folder = target.resolve(LiveFiles.EVENTS);
    if (Files.exists(folder) && !Files.isDirectory(folder)) {
      warn.accept(
          OptionText.of(
              "[%s] must be a folder, for the event files of {report_to} tensorboard, but is a file; the run goes on without event files, and metrics.jsonl has all entries",
              folder));
      return Optional.empty();
    }
    try {
      return Optional.of(LiveFiles.newEvents(target, System.currentTimeMillis() / 1000));
    } catch (IOException e) {
      throw writeFailure(folder, e);
    }
  }

  /**
   * Begins to write live files. Those of an earlier run that this one overwrites are set aside, and
   * put back if this run ends before it has saved anything.
   *
   * @throws DpoException if that fails
   */
  public synchronized void begin() {
    requireOpen();
    if (existing == Existing.OVERWRITE) {
      try {
        LiveFiles.setAside(target);
      } catch (IOException e) {
        throw writeFailure(target, e, CheckpointFolders.RUN_AGAIN);
      }
    }
  }

  /**
   * Writes one file of the output.
   *
   * @param name relative to the folder
   * @throws DpoException when the disk is full or the file cannot be written; no output is
   *     published then
   */
  public void write(String name, Content content) {
    requireOpen();
    try {
      content.writeTo(pending.resolve(name));
    } catch (IOException e) {
      throw writeFailure(target.resolve(name), e);
    } catch (UncheckedIOException e) {
      throw writeFailure(target.resolve(name), Objects.requireNonNull(e.getCause()));
    }
  }

  /**
   * Writes several files of the output.
   *
   * @param content receives the folder in which they are written
   * @throws DpoException as {@link #write}
   */
  public void writeAll(Content content) {
    requireOpen();
    try {
      content.writeTo(pending);
    } catch (IOException e) {
      throw writeFailure(target, e);
    } catch (DpoException e) {
      throw e.getCause() instanceof IOException cause ? writeFailure(target, cause) : e;
    }
  }

  /**
   * Puts the written files in place.
   *
   * @throws DpoException when that fails; an overwritten folder is restored, and the message says
   *     where the finished files are
   */
  public void publish() {
    publish(FileTrees::rename);
  }

  synchronized void publish(Move move) {
    requireOpen();
    try {
      FileTrees.force(pending);
    } catch (IOException e) {
      throw writeFailure(target, e);
    }
    state = State.FINISHED;
    Publication publication = new Publication(target, move);
    try {
      publication.run(pending);
    } catch (IOException e) {
      throw notPublished(publication, e);
    } finally {
      unlock();
    }
    try {
      publication.deleteReplaced();
    } catch (IOException e) {
      LOG.warn("Cannot remove replaced files in {}: {}", target, FileFailure.reason(e));
    }
  }

  private DpoException notPublished(Publication publication, IOException failure) {
    Optional<Path> complete;
    try {
      complete = publication.complete();
    } catch (IOException e) {
      failure.addSuppressed(e);
      complete = Optional.empty();
    }
    return new DpoException(
        "%s cannot be put in place: %s; the finished files are in %s"
                .formatted(target, FileFailure.reason(failure), complete.orElse(pending))
            + (complete.isPresent()
                ? ", and the next run with this folder puts them in place"
                : "; copy them before the next run with this folder"),
        failure);
  }

  /** Removes unpublished files and unlocks the folder; a second call has no effect. */
  @Override
  public synchronized void close() {
    if (state != State.OPEN) {
      return;
    }
    state = State.CLOSED;
    try {
      recover(target);
    } catch (IOException | DpoException e) {
      LOG.warn("Cannot remove unfinished files in {}: {}", target, e.getMessage());
    }
    unlock();
    FileTrees.removeEmpty(created);
  }

  private void unlock() {
    try {
      lock.close();
    } catch (IOException e) {
      LOG.warn("Cannot remove the lock file in {}: {}", target, FileFailure.reason(e));
    }
  }

  private void requireOpen() {
    if (state != State.OPEN) {
      throw new IllegalStateException("The output folder is already published or closed");
    }
  }

  private DpoException writeFailure(Path file, IOException failure) {
    return writeFailure(file, failure, checkpoints().howToGoOn());
  }

  private static DpoException writeFailure(Path file, IOException failure, String advice) {
    return new DpoException(
        "%s cannot be written: %s; nothing was put in place; %s"
            .formatted(file, FileFailure.reason(failure), advice),
        failure);
  }
}
