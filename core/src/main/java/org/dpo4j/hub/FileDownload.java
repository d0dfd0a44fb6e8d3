package org.dpo4j.hub;

import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.function.LongConsumer;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.dpo4j.DpoException;
import org.dpo4j.data.Sha256;

/**
 * Fetches the bytes of one file behind those that an earlier attempt left, and compares its hash.
 * Bytes with a wrong hash are thrown away and fetched once more.
 */
final class FileDownload {
  private static final int PIECE = 1 << 17;
  private static final Pattern RANGE = Pattern.compile("bytes (\\d{1,18})-\\d+/(\\d{1,18}|\\*)");

  private final HubHttp http;
  private final Patience patience;
  private final String address;
  private final HubFile file;
  private final Path pending;
  private final LongConsumer arrived;

  /**
   * @param address of the file below the hub's
   * @param pending where the bytes go; may hold the first of them
   * @param arrived gets the number of bytes that arrived, or were thrown away (below 0)
   */
  FileDownload(
      HubHttp http,
      Patience patience,
      String address,
      HubFile file,
      Path pending,
      LongConsumer arrived) {
    this.http = http;
    this.patience = patience;
    this.address = address;
    this.file = file;
    this.pending = pending;
    this.arrived = arrived;
  }

  /**
   * Ends when the pending file is right and on the device.
   *
   * @throws DpoException if that cannot be had
   * @throws IOException if the file cannot be written
   */
  void run() throws IOException {
    String found = attempt();
    if (!found.equals(file.hash())) {
      discard();
      found = attempt();
    }
    if (!found.equals(file.hash())) {
      discard();
      throw new DpoException(
          "%s must have the %s %s but what arrived, twice, has %s; it was thrown away; try later, or"
                  .formatted(
                      file.path(), file.isSha256() ? "SHA-256" : "git hash", file.hash(), found)
              + " through another network or proxy");
    }
  }

  private void discard() throws IOException {
    arrived.accept(-Files.size(pending));
    Files.delete(pending);
  }

  /** The hash of the whole file. */
  private String attempt() throws IOException {
    try (FileChannel channel =
        FileChannel.open(pending, StandardOpenOption.CREATE, StandardOpenOption.WRITE)) {
      if (channel.size() > file.size()) {
        cut(channel);
      }
      Retries retries = new Retries(patience, file.path());
      while (channel.size() < file.size()) {
        long before = channel.size();
        try {
          receive(channel);
        } catch (HubFailure e) {
          if (channel.size() > before) {
            retries.progressed();
          }
          retries.after(e);
        }
      }
      channel.force(true);
    }
    return hash(pending, file);
  }

  private void receive(FileChannel channel) throws IOException {
    long from = channel.size();
    try (HubHttp.Answer answer = http.get(address, from)) {
      position(channel, answer);
      append(channel, answer);
    } catch (HubFailure e) {
      if (e.status() == 416) {
        cut(channel); // the store has another file now; its hash will tell
      }
      throw e;
    }
  }

  /** Makes the next byte of the channel that of the answer. */
  private void position(FileChannel channel, HubHttp.Answer answer) throws IOException {
    Matcher range = RANGE.matcher(answer.header("Content-Range"));
    if (answer.status() == 200) {
      cut(channel); // the whole file, whatever was asked for
      requireSize(answer, answer.header("Content-Length"));
    } else if (range.matches()) {
      requireSize(answer, range.group(2));
      long start = Long.parseLong(range.group(1));
      if (start != channel.size()) {
        cut(channel);
        throw HubFailure.passing(
            "%s sent another part of %s than was asked for".formatted(answer.source(), file.path()),
            null);
      }
    } else {
      cut(channel);
      throw HubFailure.passing(
          "%s sent a part of %s without saying which".formatted(answer.source(), file.path()),
          null);
    }
    channel.position(channel.size());
  }

  /**
   * Refuses another size before its bytes arrive.
   *
   * @param stated a number; anything else means that it is not known
   */
  private void requireSize(HubHttp.Answer answer, String stated) throws HubFailure {
    if (stated.matches("\\d{1,18}") && Long.parseLong(stated) != file.size()) {
      throw HubFailure.passing(
          "%s must have %,d bytes but %s sends %s%s"
              .formatted(
                  file.path(),
                  file.size(),
                  answer.source(),
                  stated,
                  answer.header("Content-Type").startsWith("text/html")
                      ? ", a web page: perhaps a network asks for a login first, or a proxy shows a"
                          + " page of its own"
                      : ""),
          null);
    }
  }

  private void append(FileChannel channel, HubHttp.Answer answer) throws IOException {
    byte[] piece = new byte[PIECE];
    for (int count = answer.read(piece); count >= 0; count = answer.read(piece)) {
      if (channel.size() + count > file.size()) {
        cut(channel);
        throw HubFailure.passing(
            "%s must have %,d bytes but %s sends more"
                .formatted(file.path(), file.size(), answer.source()),
            null);
      }
      ByteBuffer bytes = ByteBuffer.wrap(piece, 0, count);
      while (bytes.hasRemaining()) {
        channel.write(bytes);
      }
      arrived.accept(count);
    }
    if (channel.size() < file.size()) {
      throw HubFailure.passing(
          "%s ended the file %s after %,d of %,d bytes"
              .formatted(answer.source(), file.path(), channel.size(), file.size()),
          null);
    }
  }

  private void cut(FileChannel channel) throws IOException {
    arrived.accept(-channel.size());
    channel.truncate(0);
  }

  /** The hash of a file on the disk, of the kind that the hub states for it. */
  static String hash(Path path, HubFile file) throws IOException {
    if (file.isSha256()) {
      return Sha256.of(path);
    }
    MessageDigest digest = sha1();
    digest.update("blob %d\0".formatted(Files.size(path)).getBytes(StandardCharsets.US_ASCII));
    byte[] piece = new byte[PIECE];
    try (InputStream in = Files.newInputStream(path)) {
      for (int count = in.read(piece); count > 0; count = in.read(piece)) {
        digest.update(piece, 0, count);
      }
    }
    return HexFormat.of().formatHex(digest.digest());
  }

  /** Git's hash of small files: it tells damage, and a forger could have chosen the list. */
  private static MessageDigest sha1() {
    try {
      return MessageDigest.getInstance("SHA-1");
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException(e); // every JDK has it
    }
  }
}
