package org.dpo4j.checkpoint;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentSkipListMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import java.util.stream.StreamSupport;
import org.dpo4j.data.Sha256;

/**
 * The file {@code SHA256SUMS} of a checkpoint: a line {@code HASH NAME} for every other file, as
 * {@code sha256sum} writes and checks it.
 */
final class Checksums {

  static final String FILE = "SHA256SUMS";

  private static final Pattern LINE = Pattern.compile("([0-9a-f]{64})  ([^\\n]+)");

  /** One line of a checkpoint's few files is below 1 KB; a larger file is damaged. */
  private static final long LARGEST = 1 << 20;

  private Checksums() {}

  /** Hashes the files of a folder and writes the list into it. */
  static void write(Path folder) throws IOException {
    StringBuilder text = new StringBuilder();
    hashes(files(folder))
        .forEach((name, hash) -> text.append(hash).append("  ").append(name).append('\n'));
    Files.writeString(folder.resolve(FILE), text);
  }

  /**
   * Compares a folder's files with its list.
   *
   * @throws DamagedCheckpointException if a file is missing, not listed, or has other bytes, or the
   *     list itself is damaged
   */
  static void verify(Path folder) throws IOException {
    Path list = folder.resolve(FILE);
    if (!Files.isRegularFile(list)) {
      throw new DamagedCheckpointException(folder, "has no " + FILE);
    }
    if (Files.size(list) > LARGEST) {
      throw new DamagedCheckpointException(folder, FILE + " is too large");
    }
    SortedMap<String, String> listed = read(folder, list);
    SortedMap<String, Path> files = files(folder);
    for (String name : listed.keySet()) {
      if (!files.containsKey(name)) {
        throw new DamagedCheckpointException(
            folder, "%s is listed in %s but missing".formatted(name, FILE));
      }
    }
    for (String name : files.keySet()) {
      if (!listed.containsKey(name)) {
        throw new DamagedCheckpointException(folder, name + " is not listed in " + FILE);
      }
    }
    hashes(files)
        .forEach(
            (name, hash) -> {
              if (!hash.equals(listed.get(name))) {
                throw new DamagedCheckpointException(
                    folder, name + " does not have the SHA-256 that " + FILE + " lists");
              }
            });
  }

  /** The files' hashes by name. Weights and moments are large: files are hashed side by side. */
  private static SortedMap<String, String> hashes(SortedMap<String, Path> files) {
    SortedMap<String, String> hashes = new ConcurrentSkipListMap<>();
    files.entrySet().parallelStream()
        .forEach(file -> hashes.put(file.getKey(), hash(file.getValue())));
    return hashes;
  }

  private static String hash(Path file) {
    try {
      return Sha256.of(file);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static SortedMap<String, String> read(Path folder, Path list) throws IOException {
    // Latin-1 maps every byte to a character, so that damage cannot hide behind a decoding error.
    String text = Files.readString(list, StandardCharsets.ISO_8859_1);
    if (!text.endsWith("\n")) {
      throw new DamagedCheckpointException(folder, FILE + " is cut off");
    }
    SortedMap<String, String> listed = new TreeMap<>();
    for (String line : text.substring(0, text.length() - 1).split("\n", -1)) {
      Matcher parts = LINE.matcher(line);
      if (!parts.matches() || listed.put(parts.group(2), parts.group(1)) != null) {
        throw new DamagedCheckpointException(folder, FILE + " has a damaged line");
      }
    }
    return listed;
  }

  /** Files by their path in the folder, with forward slashes; hidden files are not of a run. */
  private static SortedMap<String, Path> files(Path folder) throws IOException {
    SortedMap<String, Path> files = new TreeMap<>();
    try (Stream<Path> walk = Files.walk(folder)) {
      for (Path path : (Iterable<Path>) walk::iterator) {
        String name = name(folder.relativize(path));
        boolean hidden = String.valueOf(path.getFileName()).startsWith(".");
        if (!hidden && !name.equals(FILE) && !Files.isDirectory(path, LinkOption.NOFOLLOW_LINKS)) {
          files.put(name, path);
        }
      }
    }
    return files;
  }

  private static String name(Path relative) {
    return StreamSupport.stream(relative.spliterator(), false)
        .map(Path::toString)
        .collect(Collectors.joining("/"));
  }
}
