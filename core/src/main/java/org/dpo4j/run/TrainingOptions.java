package org.dpo4j.run;

import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.dpo4j.UsageException;

/**
 * From what a user gave, in TRL's words or ours, to a configuration.
 *
 * @param config the run
 * @param notices one line for each option that was accepted but has no meaning here
 */
public record TrainingOptions(TrainingConfig config, List<String> notices) {

  /** Every name that {@code train} has an answer for: its own, their aliases and TRL's. */
  public static Set<String> names() {
    Set<String> names = new LinkedHashSet<>(TrainingConfig.OPTIONS.names());
    names.addAll(TrlOptions.load().names());
    return names;
  }

  /**
   * Resolves options by name.
   *
   * @param file from the YAML file; may be empty
   * @param flags from the command line; they win over the file
   * @throws UsageException with one line for each unknown or refused option, all at once; or about
   *     the first value or combination that is wrong
   */
  public static TrainingOptions resolve(
      Map<String, GivenValue> file, Map<String, GivenValue> flags) {
    Map<String, GivenValue> merged = canonical(file);
    merged.putAll(canonical(flags));
    return new Translation(merged).resolve();
  }

  private static Map<String, GivenValue> canonical(Map<String, GivenValue> given) {
    Map<String, GivenValue> canonical = new LinkedHashMap<>();
    given.forEach(
        (name, value) -> {
          String known = TrainingConfig.OPTIONS.canonicalName(name).orElse(name);
          GivenValue other = canonical.put(known, value);
          if (other != null && !other.text().equals(value.text())) {
            throw new UsageException(
                "%s--%s is given twice, as %s and as %s; keep one"
                    .formatted(value.origin(), known, other.text(), value.text()));
          }
        });
    return canonical;
  }

  /** One pass over the given options, collecting everything there is to say about them. */
  private static final class Translation {
    private final TrlOptions trl = TrlOptions.load();
    private final Map<String, GivenValue> given;
    private final Map<String, GivenValue> own = new LinkedHashMap<>();
    private final List<String> notices = new ArrayList<>();
    private final List<String> errors = new ArrayList<>();

    Translation(Map<String, GivenValue> given) {
      this.given = given;
    }

    TrainingOptions resolve() {
      given.forEach(this::translate);
      if (!errors.isEmpty()) {
        throw new UsageException(String.join("\n", errors));
      }
      TrainingConfig config = TrainingConfig.OPTIONS.read(own);
      if (!config.trainsAdapter()) {
        noticeAdapterOptions();
      }
      return new TrainingOptions(config, List.copyOf(notices));
    }

    /** TRL's files often have them beside use_peft false. */
    private void noticeAdapterOptions() {
      own.forEach(
          (name, value) -> {
            boolean adapters = name.startsWith("lora_") || name.equals("use_rslora");
            if (adapters && !value.none() && !value.text().equals("false")) {
              notices.add(
                  "--%s %s has no effect here: it matters with --use_peft or --adapter only"
                      .formatted(name, brief(value)));
            }
          });
    }

    private void translate(String name, GivenValue value) {
      Optional<TrlOptions.Row> row = trl.answer(name, value.text());
      boolean ours = TrainingConfig.OPTIONS.canonicalName(name).isPresent();
      if (ours && row.isEmpty()) {
        own.put(name, value);
      } else if (row.isEmpty() && !trl.names().contains(name)) {
        errors.add(value.origin() + Suggestion.unknown(name, names()));
      } else if (ours || !value.none()) {
        row.ifPresent(found -> answer(name, value, found));
      }
    }

    private void answer(String name, GivenValue value, TrlOptions.Row row) {
      switch (row.answer()) {
        case "accepted" -> accept(name, value, row);
        case "replaced", "local" -> {
          if (row.answer().equals("local") && isThere(value.text())) {
            rename(name, value, row.text().split(" ", 2)[0], value.text());
          } else if (given.containsKey(row.text().split(" ", 2)[0])) {
            accept(name, value, row);
          } else {
            refuse(name, value, row);
          }
        }
        case "refused" -> refuse(name, value, row);
        default -> {
          List<String> renamed = TrlOptions.renamed(row, value.text());
          rename(name, value, renamed.get(0), renamed.get(1));
        }
      }
    }

    private void accept(String name, GivenValue value, TrlOptions.Row row) {
      notices.add(
          "--%s %s has no effect here: %s".formatted(name, brief(value), row.text().split(";")[0]));
    }

    private void refuse(String name, GivenValue value, TrlOptions.Row row) {
      errors.add(
          "%s--%s %s is refused: %s".formatted(value.origin(), name, brief(value), row.text()));
    }

    private void rename(String name, GivenValue value, String option, String text) {
      GivenValue other = given.get(option);
      if (other == null || option.equals(name)) {
        own.put(option, new GivenValue(text, value.origin()));
      } else {
        errors.add(
            "%s--%s and --%s say the same; keep --%s"
                .formatted(value.origin(), name, option, option));
      }
    }

    private static boolean isThere(String path) {
      try {
        return Files.exists(Path.of(path));
      } catch (InvalidPathException e) {
        return false;
      }
    }

    private static String brief(GivenValue value) {
      return value.text().length() <= 40 ? value.text() : value.text().substring(0, 37) + "...";
    }
  }
}
