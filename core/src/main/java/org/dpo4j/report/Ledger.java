package org.dpo4j.report;

import java.io.BufferedReader;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.dpo4j.DpoException;
import org.dpo4j.data.BoundedJson;
import org.dpo4j.data.FileFailure;
import org.dpo4j.data.JsonFault;
import org.dpo4j.data.RowOrigin;
import org.dpo4j.data.Sha256;
import org.dpo4j.evaluate.PairHistory;
import org.jspecify.annotations.Nullable;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.JsonNode;

/**
 * The histories of all pairs of a run, as {@link LedgerFile} has written them.
 *
 * @param files SHA-256 of the files that the run read, by their names; "" for one that changed
 *     before the run was continued; none in ledgers of earlier versions
 * @param training the pairs that were trained on
 * @param heldOut the pairs of each held-out set
 */
public record Ledger(
    Map<String, String> files, List<PairHistory> training, Map<String, List<PairHistory>> heldOut) {

  private static final String RULE =
      "a line must be an object with step, epoch, set, file and rows, and with margins, losses and, of"
          + " a step, pulls, one for each row, each a number or null";

  private static final String FILES_RULE = "files must be names of files with their SHA-256";

  /** A line that was cut when the process ended is the last one, and is left out. */
  private record Line(int number, JsonNode json) {}

  /**
   * Reads {@code ledger.jsonl}. Lines whose step comes again, because the run went back to a
   * checkpoint, are replaced by the later ones.
   *
   * @throws DpoException if it is damaged, or no pair was trained on
   */
  public static Ledger read(Path file) {
    Map<String, String> files = new LinkedHashMap<>();
    Map<String, Map<RowOrigin, Map<Integer, PairHistory.Visit>>> sets = new LinkedHashMap<>();
    try (BufferedReader reader = Files.newBufferedReader(file, StandardCharsets.UTF_8)) {
      int number = 0;
      for (String text = reader.readLine(); text != null; text = reader.readLine()) {
        number++;
        JsonNode json = parse(file, number, text, reader);
        if (json != null && json.has(LedgerFile.FILES)) {
          addFiles(file, new Line(number, json), files);
        } else if (json != null) {
          add(file, new Line(number, json), sets);
        }
      }
    } catch (IOException e) {
      throw new DpoException(
          "[%s] cannot be read: %s".formatted(file, FileFailure.reason(e, file)), e);
    }
    Map<String, List<PairHistory>> histories = new LinkedHashMap<>();
    sets.forEach(
        (set, pairs) ->
            histories.put(
                set,
                pairs.entrySet().stream()
                    .map(
                        pair ->
                            new PairHistory(pair.getKey(), List.copyOf(pair.getValue().values())))
                    .toList()));
    List<PairHistory> training = histories.remove(LedgerFile.TRAINING);
    if (training == null) {
      throw new DpoException(
          "[%s] must hold a pair that was trained on, but holds none: wait for the first logged step"
              .formatted(file));
    }
    return new Ledger(files, training, histories);
  }

  /** A line; null for a last one that is not complete. */
  private static @Nullable JsonNode parse(Path file, int number, String text, BufferedReader reader)
      throws IOException {
    try {
      return BoundedJson.LENIENT.readTree(text);
    } catch (JacksonException e) {
      if (reader.readLine() == null) {
        return null;
      }
      throw new DpoException(
          "[%s:%d] is not valid JSON: %s".formatted(file, number, JsonFault.words(e)), e);
    }
  }

  /** A continued run may have read other held-out pairs than before, or the same file changed. */
  private static void addFiles(Path file, Line line, Map<String, String> files) {
    JsonNode hashes = line.json.path(LedgerFile.FILES);
    if (!hashes.isObject() || !hashes.valueStream().allMatch(JsonNode::isString)) {
      throw new DpoException("[%s:%d] %s".formatted(file, line.number, FILES_RULE));
    }
    for (Map.Entry<String, JsonNode> entry : hashes.properties()) {
      files.merge(
          entry.getKey(),
          entry.getValue().asString(""),
          (earlier, later) -> earlier.equals(later) ? later : "");
    }
  }

  private static void add(
      Path file, Line line, Map<String, Map<RowOrigin, Map<Integer, PairHistory.Visit>>> sets) {
    JsonNode json = line.json;
    JsonNode rows = json.path("rows");
    boolean training = json.path("set").asString("").equals(LedgerFile.TRAINING);
    boolean sound =
        json.path("step").isInt()
            && json.path("epoch").isNumber()
            && json.path("set").isString()
            && json.path("file").isString()
            && rows.isArray()
            && counted(rows)
            && numbers(json.path("margins"), rows.size())
            && numbers(json.path("losses"), rows.size())
            && (!training || numbers(json.path("pulls"), rows.size()));
    if (!sound) {
      throw new DpoException("[%s:%d] %s".formatted(file, line.number, RULE));
    }
    int step = json.path("step").asInt();
    Map<RowOrigin, Map<Integer, PairHistory.Visit>> set =
        sets.computeIfAbsent(json.path("set").asString(), name -> new LinkedHashMap<>());
    for (int i = 0; i < rows.size(); i++) {
      RowOrigin pair =
          new RowOrigin(
              json.path("file").asString(),
              0,
              rows.path(i).asInt(0),
              json.path("rejected").path(i).asInt(0));
      set.computeIfAbsent(pair, origin -> new LinkedHashMap<>())
          .put(
              step,
              new PairHistory.Visit(
                  step,
                  json.path("epoch").asDouble(0),
                  number(json.path("margins").path(i)),
                  number(json.path("losses").path(i)),
                  number(json.path("pulls").path(i))));
    }
  }

  /** Whether all rows are whole numbers from 1 on. */
  private static boolean counted(JsonNode rows) {
    for (JsonNode row : rows) {
      if (!row.isInt() || row.asInt() < 1) {
        return false;
      }
    }
    return true;
  }

  /** Whether there are as many numbers, of which one that is not finite is null. */
  private static boolean numbers(JsonNode values, int size) {
    return values.isArray()
        && values.size() == size
        && values.valueStream().allMatch(value -> value.isNumber() || value.isNull());
  }

  private static double number(JsonNode value) {
    return value.isNumber() ? value.asDouble() : Double.NaN;
  }

  /**
   * Whether a file is known to hold other bytes now than the run read. A file of which the ledger
   * has no hash counts as the same.
   *
   * @throws DpoException if it cannot be read
   */
  public boolean isChanged(Path file) {
    String hash = files.get(file.toString());
    try {
      return hash != null && !hash.equals(Sha256.of(file));
    } catch (IOException e) {
      throw new DpoException(
          "[%s] cannot be read: %s".formatted(file, FileFailure.reason(e, file)), e);
    }
  }

  /** The pairs of all held-out sets. */
  public List<PairHistory> allHeldOut() {
    List<PairHistory> all = new ArrayList<>();
    heldOut.values().forEach(all::addAll);
    return all;
  }
}
