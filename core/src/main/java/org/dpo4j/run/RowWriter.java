package org.dpo4j.run;

import java.io.BufferedWriter;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.LinkedHashMap;
import java.util.Map;
import org.dpo4j.DpoException;
import org.dpo4j.UsageException;
import org.dpo4j.encode.EncodedRow;
import tools.jackson.databind.json.JsonMapper;

/** A file of one JSON line for each row, which appears under its name when it is complete. */
final class RowWriter implements AutoCloseable {

  private static final JsonMapper JSON = JsonMapper.shared();

  private final Path target;
  private final Path pending;
  private final BufferedWriter writer;

  private RowWriter(Path target, Path pending, BufferedWriter writer) {
    this.target = target;
    this.pending = pending;
    this.writer = writer;
  }

  /**
   * Begins the file.
   *
   * @param target replaced if it is there
   * @param input must be another file
   * @throws UsageException if the file cannot be written
   */
  static RowWriter open(Path target, Path input) {
    Path absolute = target.toAbsolutePath().normalize();
    if (Files.isDirectory(absolute)) {
      throw new UsageException("--output must be a file but " + target + " is a folder");
    }
    try {
      if (Files.exists(absolute) && Files.isSameFile(absolute, input)) {
        throw new UsageException(
            "--output must be another file than --data_file but both are " + target);
      }
      Files.createDirectories(absolute.getParent());
      Path pending =
          Files.createTempFile(absolute.getParent(), "." + absolute.getFileName(), ".pending");
      pending.toFile().deleteOnExit(); // Ctrl-C
      return new RowWriter(absolute, pending, Files.newBufferedWriter(pending));
    } catch (IOException e) {
      throw new UsageException(
          "--output must be a file that can be written but %s was not: %s; check the path"
              .formatted(target, e),
          e);
    }
  }

  /** What every line begins with. */
  static Map<String, Object> start(EncodedRow row) {
    Map<String, Object> values = new LinkedHashMap<>();
    values.put("row", row.origin().row());
    values.put("status", row.status().toString());
    values.put("reason", row.reason());
    return values;
  }

  void write(Map<String, Object> values) {
    try {
      writer.write(JSON.writeValueAsString(values));
      writer.newLine();
    } catch (IOException e) {
      throw failed(e);
    }
  }

  /** Puts the complete file in place. */
  void publish() {
    try {
      writer.close();
      Files.move(pending, target, StandardCopyOption.REPLACE_EXISTING);
    } catch (IOException e) {
      throw failed(e);
    }
  }

  private DpoException failed(IOException e) {
    return new DpoException(
        "[" + target + "] could not be written: " + e.getMessage() + "; nothing is left of it", e);
  }

  /** Removes what was not published. */
  @Override
  public void close() {
    try {
      writer.close();
    } catch (IOException e) {
      // A full disk was reported by the write that met it.
    }
    try {
      Files.deleteIfExists(pending);
    } catch (IOException e) {
      throw failed(e);
    }
  }
}
