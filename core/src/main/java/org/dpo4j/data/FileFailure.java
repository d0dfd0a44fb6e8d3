package org.dpo4j.data;

import java.io.IOException;
import java.nio.file.AccessDeniedException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.FileSystemException;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import org.dpo4j.Interruption;

/** Describes failures of the file system, whose own messages are often a bare path. */
public final class FileFailure {

  private FileFailure() {}

  /** The file that the failure names, else {@code otherwise}. */
  public static String file(IOException failure, Path otherwise) {
    return failure instanceof FileSystemException e && e.getFile() != null
        ? e.getFile()
        : otherwise.toString();
  }

  /** The reason as the system gives it, without Java's class names. */
  public static String reason(IOException failure) {
    if (Interruption.caused(failure)) {
      return Interruption.REASON;
    }
    if (failure instanceof AccessDeniedException) {
      return "permission denied";
    }
    if (failure instanceof NoSuchFileException missing) {
      return missing.getFile() + " does not exist";
    }
    if (failure instanceof FileAlreadyExistsException taken) {
      return taken.getFile() + " is in the way";
    }
    String message =
        failure instanceof FileSystemException system && system.getReason() != null
            ? system.getReason()
            : failure.getMessage();
    return message == null ? failure.getClass().getSimpleName() : message;
  }

  /**
   * {@link #reason(IOException)} for a message that names the file already.
   *
   * @param named the file as the message has it
   */
  public static String reason(IOException failure, Object named) {
    String reason = reason(failure);
    String prefix = named + " ";
    return reason.startsWith(prefix) ? reason.substring(prefix.length()) : reason;
  }
}
