package org.dpo4j.hub;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.OptionalLong;
import java.util.Set;
import java.util.concurrent.CompletionService;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorCompletionService;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import org.dpo4j.DpoException;
import org.dpo4j.OptionText;
import org.dpo4j.UsageException;
import org.dpo4j.checkpoint.DiskSpace;
import org.dpo4j.checkpoint.FileTrees;
import org.dpo4j.checkpoint.LockedFolder;
import org.dpo4j.data.FileFailure;
import org.dpo4j.data.ShortList;
import org.dpo4j.options.MemorySize;
import org.dpo4j.report.Progress;

/**
 * A download into a folder, which is locked meanwhile.
 *
 * <p>Files are fetched into a hidden folder in it, several at a time, under names made of their
 * hashes; a later download continues what is there. When all are right they are moved into place,
 * {@code config.json} last. So at any moment, whenever the process dies, each file of the folder is
 * right or not there. No file that was there before is changed.
 */
public final class Download implements AutoCloseable {
  private static final String PENDING = ".dpo4j-download";

  /** Few: a hub limits the requests of an address, and one connection can fill most lines. */
  private static final int AT_A_TIME = 4;

  private static final long POLL_MILLIS = 200;
  private static final long ENDING_SECONDS = 10;
  private static final double MEGABYTE = 1e6;

  /** Without one of these a folder is no model and no adapter. */
  private static final Set<String> LAST = Set.of("config.json", "adapter_config.json");

  private final HubEndpoint endpoint;
  private final Repository repository;
  private final FileChoice choice;
  private final Path given;
  private final DiskSpace disk;
  private final Patience patience;
  private final LockedFolder folder;
  private final Path pending;
  private final HubHttp http;
  private final AtomicLong arrived = new AtomicLong();

  private Download(
      HubEndpoint endpoint,
      Repository repository,
      FileChoice choice,
      Path given,
      DiskSpace disk,
      Patience patience) {
    this.endpoint = endpoint;
    this.repository = repository;
    this.choice = choice;
    this.given = given;
    this.disk = disk;
    this.patience = patience;
    this.folder = LockedFolder.open(given, List.of());
    this.pending = folder.path().resolve(PENDING);
    this.http = new HubHttp(endpoint, repository, patience);
  }

  /**
   * Creates and locks the folder; nothing is asked of the hub yet.
   *
   * @throws UsageException if the folder cannot be written, or another run writes there
   */
  public static Download open(
      HubEndpoint endpoint, Repository repository, FileChoice choice, Path folder) {
    return open(endpoint, repository, choice, folder, DiskSpace.OF_MACHINE, Patience.USUAL);
  }

  /** As above with another disk and other times, for tests. */
  static Download open(
      HubEndpoint endpoint,
      Repository repository,
      FileChoice choice,
      Path folder,
      DiskSpace disk,
      Patience patience) {
    return new Download(endpoint, repository, choice, folder, disk, patience);
  }

  /**
   * What is to be fetched.
   *
   * @param commit that the revision names
   * @param files chosen ones
   * @param missing those that are not in the folder
   * @param others number of files of the repository that are not chosen
   * @param unmatched a sentence for each pattern that matches no file
   */
  public record Plan(
      String commit,
      List<HubFile> files,
      List<HubFile> missing,
      int others,
      List<String> unmatched) {

    /** Paths of the chosen files, with slashes. */
    public List<String> paths() {
      return files.stream().map(HubFile::path).toList();
    }

    /** Size of the chosen files. */
    public long bytes() {
      return files.stream().mapToLong(HubFile::size).sum();
    }

    /** Size of the files that are not in the folder. */
    public long missingBytes() {
      return missing.stream().mapToLong(HubFile::size).sum();
    }
  }

  /**
   * Asks the hub for the files, and compares those in the folder.
   *
   * @throws DpoException if the hub refuses or cannot be reached, the folder holds other files
   *     under these names, or the disk has too little room
   */
  public Plan plan(Progress progress) {
    HubListing listing = HubListing.of(http, endpoint, repository, patience);
    List<HubFile> files = choice.of(repository, listing.files());
    DownloadRecord.require(folder.path(), given, repository, listing.commit());
    List<HubFile> missing = missing(files, listing.commit(), progress);
    Plan plan =
        new Plan(
            listing.commit(),
            files,
            missing,
            listing.files().size() - files.size(),
            choice.unmatched(repository, listing.files()));
    try {
      for (HubFile file : missing) {
        arrived.addAndGet(Files.exists(pending(file)) ? Files.size(pending(file)) : 0);
      }
    } catch (IOException e) {
      throw notWritten(e);
    }
    requireRoom(plan);
    return plan;
  }

  private List<HubFile> missing(List<HubFile> files, String commit, Progress progress) {
    List<HubFile> missing = new ArrayList<>();
    List<String> other = new ArrayList<>();
    for (int i = 0; i < files.size(); i++) {
      progress.update("comparing", i, files.size(), "");
      HubFile file = files.get(i);
      if (!Files.exists(target(file), LinkOption.NOFOLLOW_LINKS)) {
        missing.add(file);
      } else if (!isRight(file)) {
        other.add(file.path());
      }
    }
    progress.update("comparing", files.size(), files.size(), "");
    if (!other.isEmpty()) {
      throw new DpoException(
          OptionText.of(
              "files in %s with names of %s must be its own, at commit %s, but %s: %s; remove %s to fetch"
                  + " %s, or name another {output_dir}",
              given,
              repository.name(),
              commit,
              other.size() == 1 ? "one differs or is damaged" : "some differ or are damaged",
              ShortList.of(other, 5),
              other.size() == 1 ? "it" : "them",
              other.size() == 1 ? "it again" : "them again"));
    }
    return missing;
  }

  private boolean isRight(HubFile file) {
    Path path = target(file);
    try {
      return Files.isRegularFile(path)
          && Files.size(path) == file.size()
          && FileDownload.hash(path, file).equals(file.hash());
    } catch (IOException e) {
      throw new DpoException(
          "%s cannot be read: %s".formatted(path, FileFailure.reason(e, path)), e);
    }
  }

  private void requireRoom(Plan plan) {
    OptionalLong usable = disk.usable(folder.path());
    long needed = plan.missingBytes() - arrived.get();
    if (usable.isPresent() && usable.getAsLong() < needed) {
      throw new DpoException(
          OptionText.of(
              "%s must have room for %s but only %s are free there; make room, or name another"
                  + " {output_dir}",
              given, MemorySize.text(needed), MemorySize.text(usable.getAsLong())));
    }
  }

  /**
   * Fetches what is missing and puts it in place.
   *
   * @throws DpoException if a file cannot be had or written; what has arrived is kept for the next
   *     download into this folder
   */
  public void run(Plan plan, Progress progress) {
    try {
      Files.createDirectories(pending);
      if (!plan.missing().isEmpty()) {
        fetch(plan, progress);
      }
      publish(plan);
    } catch (IOException e) {
      throw notWritten(e);
    }
  }

  private DpoException notWritten(IOException failure) {
    return new DpoException(
        "the files cannot be written to %s: %s; what has arrived is kept there, and the same command"
                .formatted(given, FileFailure.reason(failure))
            + " continues",
        failure);
  }

  private void fetch(Plan plan, Progress progress) throws IOException {
    ExecutorService threads = Executors.newFixedThreadPool(AT_A_TIME, Download::thread);
    CompletionService<HubFile> files = new ExecutorCompletionService<>(threads);
    try {
      // The largest first, so that no long one is left alone at the end.
      plan.missing().stream()
          .sorted(Comparator.comparingLong(HubFile::size).reversed())
          .forEach(file -> files.submit(() -> fetched(plan, file)));
      await(files, plan, progress);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw Retries.interrupted();
    } catch (ExecutionException e) {
      throw cause(e);
    } finally {
      threads.shutdownNow();
      http.close();
      awaitEnd(threads);
    }
  }

  private static Thread thread(Runnable work) {
    Thread thread = new Thread(work, "download");
    thread.setDaemon(true); // ends with the process, which continues another time
    return thread;
  }

  private HubFile fetched(Plan plan, HubFile file) throws IOException {
    String address = repository.filePath(plan.commit(), file.path());
    new FileDownload(http, patience, address, file, pending(file), arrived::addAndGet).run();
    return file;
  }

  private void await(CompletionService<HubFile> files, Plan plan, Progress progress)
      throws InterruptedException, ExecutionException {
    long started = System.nanoTime();
    long before = arrived.get();
    int total = megabytes(plan.missingBytes()) + 1; // a bar that is full is over
    for (int done = 0; done < plan.missing().size(); ) {
      double seconds = (System.nanoTime() - started) / 1e9;
      progress.update(
          "download, MB",
          Math.min(total - 1, megabytes(arrived.get())),
          total,
          String.format(
              Locale.ROOT,
              "%.1f MB/s, %d of %d files",
              (arrived.get() - before) / MEGABYTE / Math.max(seconds, 1e-3),
              done,
              plan.missing().size()));
      Future<HubFile> next = files.poll(POLL_MILLIS, TimeUnit.MILLISECONDS);
      if (next != null) {
        next.get();
        done++;
      }
    }
    progress.update("download, MB", total, total, "");
  }

  private static int megabytes(long bytes) {
    return (int) Math.max(0, Math.min(Integer.MAX_VALUE - 1, bytes / (long) MEGABYTE));
  }

  private RuntimeException cause(ExecutionException failure) throws IOException {
    if (failure.getCause() instanceof IOException io) {
      throw io;
    }
    if (failure.getCause() instanceof DpoException known) {
      return arrived.get() <= 0
          ? known
          : new DpoException(
              known.text() + "; what has arrived is kept, and the same command continues", known);
    }
    return new IllegalStateException(failure.getCause());
  }

  /** The folder is unlocked only when nothing writes there. */
  private static void awaitEnd(ExecutorService threads) {
    boolean interrupted = false;
    long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(ENDING_SECONDS);
    while (!threads.isTerminated() && System.nanoTime() < end) {
      try {
        threads.awaitTermination(POLL_MILLIS, TimeUnit.MILLISECONDS);
      } catch (InterruptedException e) {
        interrupted = true;
      }
    }
    if (interrupted) {
      Thread.currentThread().interrupt();
    }
  }

  /** Moves the files into place, that by which a folder is recognized last. */
  private void publish(Plan plan) throws IOException {
    DownloadRecord.write(folder.path(), pending, endpoint, repository, plan.commit());
    List<HubFile> ordered =
        plan.missing().stream()
            .sorted(Comparator.comparing(file -> LAST.contains(file.name())))
            .toList();
    for (HubFile file : ordered) {
      Path target = target(file);
      Path parent = target.toAbsolutePath().getParent();
      if (parent != null) {
        Files.createDirectories(parent);
        requireInside(parent);
      }
      FileTrees.rename(pending(file), target);
      FileTrees.forceFolder(parent);
    }
    FileTrees.delete(pending);
  }

  /** A link in the folder may lead out of it. */
  private void requireInside(Path parent) throws IOException {
    if (!parent.toRealPath().startsWith(folder.path().toRealPath())) {
      throw new DpoException(
          "%s is a link to another folder, into which nothing is downloaded; remove it"
              .formatted(parent));
    }
  }

  private Path target(HubFile file) {
    return folder.path().resolve(file.path());
  }

  /** The same bytes under two names are two files. */
  private Path pending(HubFile file) {
    return pending.resolve(file.hash() + "-" + Integer.toHexString(file.path().hashCode()));
  }

  /** For a process that is being stopped: unlocks the folder, and says what is there. */
  public String interrupted() {
    unlock();
    return "interrupted: %s have arrived in %s; the same command continues"
        .formatted(MemorySize.text(Math.max(0, arrived.get())), given);
  }

  /** Unlocks the folder, and removes it if it was new and nothing has arrived. */
  @Override
  public void close() {
    http.close();
    unlock();
  }

  private void unlock() {
    try {
      Files.deleteIfExists(pending);
    } catch (IOException e) {
      // It holds what has arrived.
    }
    folder.close();
  }
}
