package org.dpo4j.run;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.regex.Pattern;
import org.dpo4j.Dpo4j;
import org.dpo4j.DpoException;
import org.dpo4j.data.BoundedJson;
import org.dpo4j.data.FileFailure;
import org.dpo4j.data.PendingFile;
import org.dpo4j.judge.AnswerFigures;
import org.dpo4j.report.RoundsReport.TrainingFigures;
import org.jspecify.annotations.Nullable;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.SerializationFeature;
import tools.jackson.databind.json.JsonMapper;

/**
 * What a run of rounds has done, in the file {@code rounds.json}: replaced as a whole after each
 * phase, so that a process may end at any time. {@code docs/reference/rounds.md} describes it.
 */
public final class RoundsJournal {

  /** Its name in the folder of the run. */
  public static final String FILE = "rounds.json";

  private static final String FORMAT = "dpo4j-rounds";
  private static final int VERSION = 1;

  private static final JsonMapper JSON =
      BoundedJson.strict().enable(SerializationFeature.INDENT_OUTPUT).build();

  /**
   * A phase that is done.
   *
   * @param round from 1; 0 before the first
   * @param file what it wrote, relative to the folder of the run
   * @param sha256 of the file; of a folder, of the list of its files with theirs
   * @param seconds wall time
   * @param figures what it measured
   */
  record Phase(int round, String file, String sha256, double seconds, Figures figures) {

    /** A file of a round and nothing else, so that a journal never leads out of its folder. */
    private static final Pattern FILES =
        Pattern.compile("(start|round-[1-9]\\d{0,8})/[a-z][a-z-]*(\\.jsonl)?");

    Phase {
      if (round < 0 || !FILES.matcher(file).matches()) {
        throw new IllegalArgumentException("no phase writes \"%s\"".formatted(file));
      }
      Objects.requireNonNull(sha256);
      Objects.requireNonNull(figures);
    }
  }

  /**
   * What a phase measured; the others are null.
   *
   * @param rows rows of data that it wrote
   */
  record Figures(
      @Nullable Integer rows, @Nullable AnswerFigures answers, @Nullable TrainingFigures training) {

    static final Figures NONE = new Figures(null, null, null);

    static Figures of(int rows) {
      return new Figures(rows, null, null);
    }

    static Figures of(AnswerFigures answers) {
      return new Figures(null, answers, null);
    }

    static Figures of(TrainingFigures training) {
      return new Figures(null, null, training);
    }
  }

  /** The content of the file. */
  private record Content(
      String format,
      int version,
      String writtenBy,
      Map<String, String> identity,
      Map<String, String> options,
      List<Phase> phases) {

    Content {
      Objects.requireNonNull(format);
      Objects.requireNonNull(writtenBy);
      identity = new LinkedHashMap<>(identity); // in its order, for writing
      options = new LinkedHashMap<>(options);
      phases = List.copyOf(phases);
    }
  }

  private final Path folder;
  private final Map<String, String> identity;
  private final Map<String, String> options;
  private final List<Phase> phases;

  private RoundsJournal(
      Path folder, Map<String, String> identity, Map<String, String> options, List<Phase> phases) {
    this.folder = folder;
    this.identity = identity;
    this.options = options;
    this.phases = new ArrayList<>(phases);
  }

  /**
   * The journal of a new run.
   *
   * @param identity hashes of what the run reads, by name
   * @param options all options, as texts
   */
  static RoundsJournal start(
      Path folder, Map<String, String> identity, Map<String, String> options) {
    return new RoundsJournal(folder, identity, options, List.of());
  }

  /**
   * Reads the journal of an earlier run; empty if there is none.
   *
   * @throws DpoException if it cannot be read, or is not one of this version
   */
  public static Optional<RoundsJournal> read(Path folder) {
    Path file = folder.resolve(FILE);
    if (!Files.exists(file)) {
      return Optional.empty();
    }
    try {
      Content content = JSON.readValue(Files.readAllBytes(file), Content.class);
      if (!content.format().equals(FORMAT) || content.version() != VERSION) {
        throw new DpoException(
            "[%s] must be format %s, version %d, but is %s, version %d; finish the run with the dpo4j that wrote it (%s), or start again in another folder"
                .formatted(
                    file,
                    FORMAT,
                    VERSION,
                    content.format(),
                    content.version(),
                    content.writtenBy()));
      }
      return Optional.of(
          new RoundsJournal(folder, content.identity(), content.options(), content.phases()));
    } catch (JacksonException e) {
      throw new DpoException(
          "[%s] is damaged: %s; restore it, or start again in another folder"
              .formatted(file, e.getOriginalMessage()),
          e);
    } catch (IOException e) {
      throw new DpoException("[%s] cannot be read: %s".formatted(file, FileFailure.reason(e)), e);
    }
  }

  Map<String, String> identity() {
    return identity;
  }

  Map<String, String> options() {
    return options;
  }

  List<Phase> phases() {
    return List.copyOf(phases);
  }

  /** This journal with the options as they are now. */
  RoundsJournal withOptions(Map<String, String> options) {
    return new RoundsJournal(folder, identity, options, phases);
  }

  /** Rows of data that a phase wrote; 0 if it is not done. */
  int rows(String file) {
    Integer rows = phase(file).map(Phase::figures).map(Figures::rows).orElse(null);
    return rows == null ? 0 : rows;
  }

  /** A phase that wrote a file, if it is done. */
  Optional<Phase> phase(String file) {
    return phases.stream().filter(phase -> phase.file().equals(file)).findFirst();
  }

  /**
   * Adds a phase and writes the file.
   *
   * @throws DpoException if it cannot be written
   */
  void add(Phase phase) {
    phases.add(phase);
    write();
  }

  /** Writes the file. */
  void write() {
    Path file = folder.resolve(FILE);
    PendingFile.removeStale(folder, FILE);
    try (PendingFile pending = PendingFile.create(file)) {
      Content content = new Content(FORMAT, VERSION, Dpo4j.version(), identity, options, phases);
      ByteBuffer bytes = ByteBuffer.wrap(JSON.writeValueAsBytes(content));
      while (bytes.hasRemaining()) {
        pending.channel().write(bytes);
      }
      pending.publish();
    } catch (IOException e) {
      throw new DpoException(
          "[%s] could not be written: %s; make room and continue the run"
              .formatted(file, FileFailure.reason(e)),
          e);
    }
  }
}
