package org.dpo4j.reference;

import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.channels.Channels;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Map;
import java.util.Optional;
import java.util.stream.IntStream;
import org.dpo4j.data.PendingFile;
import org.dpo4j.logprob.LogProbTable;

/**
 * A folder of files with log-probabilities under references, one file per {@link ReferenceKey},
 * named by its fingerprint. Several runs may use a folder at the same time: a file is renamed into
 * place when it is complete, and two runs that write the same file write the same numbers.
 *
 * <p>A file is used only if it is complete, unchanged and exactly that of the key.
 *
 * @param folder need not exist
 */
public record ReferenceCache(Path folder) {
  private static final int SHOWN_DIGITS = 16;
  private static final String PREFIX = "ref-";

  /** Where the table of a key is kept. */
  public Path file(ReferenceKey key) {
    return folder.resolve(PREFIX + key.fingerprint().substring(0, SHOWN_DIGITS) + ".bin");
  }

  /**
   * The table of a key; empty if there is none.
   *
   * @throws DamagedReferenceException if the file must not be used; the message has the reason
   * @throws IOException if it cannot be read
   */
  public Optional<LogProbTable> find(ReferenceKey key) throws IOException {
    Path file = file(key);
    if (Files.notExists(file)) {
      return Optional.empty();
    }
    if (!Files.isRegularFile(file)) {
      throw new DamagedReferenceException("it is no file", null);
    }
    try (FileChannel channel = FileChannel.open(file, StandardOpenOption.READ);
        InputStream in = Channels.newInputStream(channel)) {
      LogProbTable table = ReferenceFormat.read(in, channel.size(), key);
      if (!finite(table)) {
        throw new DamagedReferenceException("a number in it is not finite", null);
      }
      return Optional.of(table);
    }
  }

  /**
   * Stores a table; replaces an existing file.
   *
   * @param notes for people who open the file; not read by programs
   * @return the file
   * @throws IOException if nothing can be written there, or a number is not finite
   */
  public Path keep(ReferenceKey key, Map<String, String> notes, LogProbTable table)
      throws IOException {
    if (!finite(table)) {
      throw new IOException("a log-probability is not finite");
    }
    if (Files.exists(folder) && !Files.isDirectory(folder)) {
      throw new IOException("it is no folder");
    }
    Files.createDirectories(folder);
    Path file = file(key);
    try (PendingFile pending = PendingFile.create(file)) {
      OutputStream out = Channels.newOutputStream(pending.channel());
      String text = ReferenceKey.text(key.parts()) + ReferenceKey.text(notes);
      ReferenceFormat.write(out, key, text, table);
      out.flush();
      pending.publish();
    }
    return file;
  }

  /** Removes what runs left that were killed while they wrote. */
  public void removeStale() {
    PendingFile.removeStale(folder, PREFIX);
  }

  private static boolean finite(LogProbTable table) {
    return IntStream.range(0, table.size()).allMatch(table::finite);
  }
}
