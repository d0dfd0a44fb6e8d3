package org.dpo4j.checkpoint;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.List;
import java.util.Objects;
import org.dpo4j.DpoException;
import org.dpo4j.OptionText;
import org.dpo4j.UsageException;
import org.dpo4j.data.FileFailure;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A folder that appears complete or not at all. Files are written into a pending folder; {@link
 * #publish} forces them to the device and moves them into place; {@link #close} without it removes
 * what was written and leaves an overwritten folder unchanged.
 *
 * <p>A new folder is filled under another name beside the target and renamed once. An existing
 * folder is kept (it may be the working directory, a link, or a mounted volume, which cannot be
 * renamed) and filled from a pending folder inside it: the old entries are moved aside, the new
 * ones in, and the old ones deleted last. {@code config.json} ({@code adapter_config.json} for an
 * adapter) is removed first and added last. After a power failure in between, no loader accepts the
 * folder.
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

  private enum State {
    OPEN,
    FINISHED,
    CLOSED
  }

  private final Path target;
  private final boolean inPlace;
  private final List<Path> createdParents;
  private final PendingFolder pending;
  private State state = State.OPEN;

  private OutputFolder(
      Path target, boolean inPlace, List<Path> createdParents, PendingFolder pending) {
    this.target = target;
    this.inPlace = inPlace;
    this.createdParents = createdParents;
    this.pending = pending;
  }

  /** {@link #prepare(Path, boolean, List)} with no inputs to protect. */
  public static OutputFolder prepare(Path target, boolean overwrite) {
    return prepare(target, overwrite, List.of());
  }

  /**
   * Checks that the folder can be written and creates the pending folder, before any other work
   * starts.
   *
   * @param target the folder for the finished files; may be relative, a link, the working directory
   *     or an existing empty folder; missing parents are created
   * @param overwrite whether a folder that an earlier run wrote may be replaced
   * @param inputs folders and files that this run reads: they must not lie in {@code target}, and
   *     it must not lie in one of them
   * @throws UsageException when the folder is not empty (or, with {@code overwrite}, not ours), is
   *     a file, holds an input or lies in one, is in use by another run, or cannot be created
   */
  public static OutputFolder prepare(Path target, boolean overwrite, List<Path> inputs) {
    TargetFolder checked = TargetFolder.check(target, overwrite, inputs);
    List<Path> created = checked.createParents();
    try {
      PendingFolder pending = PendingFolder.create(checked.pendingParent(), checked.name());
      return new OutputFolder(checked.path(), checked.exists(), created, pending);
    } catch (IOException e) {
      FileTrees.removeEmpty(created);
      throw TargetFolder.notWritable(checked.pendingParent(), e);
    } catch (RuntimeException e) {
      FileTrees.removeEmpty(created);
      throw e;
    }
  }

  /** The folder of the published files: absolute, links resolved. */
  public Path target() {
    return target;
  }

  /** Whether the folder existed before; it stays unchanged until the files are published. */
  public boolean existed() {
    return inPlace;
  }

  /** Whether the files are published. */
  public synchronized boolean published() {
    return state == State.FINISHED;
  }

  /** The folder of the files until they are published. */
  public Path pending() {
    return pending.path();
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
      content.writeTo(pending.path().resolve(name));
    } catch (IOException e) {
      throw writeFailure(target.resolve(name), e);
    } catch (UncheckedIOException e) {
      throw writeFailure(target.resolve(name), Objects.requireNonNull(e.getCause()));
    }
  }

  /**
   * Puts the written files in place.
   *
   * @throws DpoException when that fails; an overwritten folder is restored, and the message says
   *     where the finished files are
   */
  public void publish() {
    publish((from, to) -> Files.move(from, to, StandardCopyOption.ATOMIC_MOVE));
  }

  synchronized void publish(Move move) {
    requireOpen();
    try {
      FileTrees.force(pending.path());
      pending.unlock();
    } catch (IOException e) {
      throw writeFailure(target, e);
    }
    state = State.FINISHED;
    try {
      if (inPlace) {
        Path replaced = new EntrySwap(target, pending.path(), move).run();
        deleteReplaced(replaced);
      } else {
        move.move(pending.path(), target);
      }
    } catch (IOException e) {
      throw new DpoException(
          "%s cannot be put in place: %s; the finished files are in %s"
              .formatted(target, FileFailure.reason(e), pending.path()),
          e);
    }
    @Nullable Path parent = inPlace ? target : target.getParent();
    if (parent != null) {
      FileTrees.forceFolder(parent);
    }
  }

  /** Removes unpublished files; a second call has no effect. */
  @Override
  public synchronized void close() {
    if (state != State.OPEN) {
      return;
    }
    state = State.CLOSED;
    try {
      pending.delete();
    } catch (IOException e) {
      LOG.warn("Cannot remove {}: {}", pending.path(), FileFailure.reason(e));
    }
    FileTrees.removeEmpty(createdParents);
  }

  private void requireOpen() {
    if (state != State.OPEN) {
      throw new IllegalStateException("The output folder is already published or closed");
    }
  }

  private static void deleteReplaced(Path replaced) {
    try {
      FileTrees.delete(replaced);
    } catch (IOException e) {
      LOG.warn("Cannot remove the replaced files in {}: {}", replaced, FileFailure.reason(e));
    }
  }

  private static DpoException writeFailure(Path file, IOException failure) {
    return new DpoException(
        "%s cannot be written: %s; nothing was put in place, so make room or choose another"
                .formatted(file, FileFailure.reason(failure))
            + OptionText.of(" {output_dir} and run again"),
        failure);
  }
}
