package org.dpo4j.weights;

import java.io.IOException;
import java.nio.file.AccessDeniedException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.FileSystemException;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import org.dpo4j.Interruption;

/** Words for failures of the file system, whose own messages are often a bare path. */
final class Failure {

  private Failure() {}

  /** The file that it happened to, or the one given where the failure does not say. */
  static String file(IOException failure, Path otherwise) {
    return failure instanceof FileSystemException e && e.getFile() != null
        ? e.getFile()
        : otherwise.toString();
  }

  static String why(IOException failure) {
    if (Interruption.caused(failure)) {
      return Interruption.REASON;
    }
    if (failure instanceof AccessDeniedException) {
      return "permission denied";
    }
    if (failure instanceof NoSuchFileException) {
      return "no such file or folder";
    }
    if (failure instanceof FileAlreadyExistsException) {
      return "it exists already";
    }
    String message = failure.getMessage() == null ? failure.toString() : failure.getMessage();
    return message.endsWith("No space left on device")
        ? "no space is left on the device; make room or write elsewhere, and run again"
        : message;
  }
}
