package org.dpo4j.config;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.dpo4j.ExampleKind;
import org.dpo4j.OptionText;
import org.dpo4j.UsageException;
import org.dpo4j.options.GivenValue;
import org.dpo4j.options.OptionType;
import org.dpo4j.options.Suggestion;
import org.dpo4j.options.YamlOptions;
import org.dpo4j.report.RunOutput;

/**
 * Translates options with TRL's names or dpo4j's into a configuration.
 *
 * @param config the run
 * @param notices one line per option that is accepted but has no effect; options are marked ({@link
 *     OptionText})
 */
public record TrainingOptions(TrainingConfig config, List<String> notices) {

  /** Options that name inputs; their paths in a YAML file are relative to the working directory. */
  private static final Set<String> INPUTS =
      Set.of("model", "adapter", "data_file", "eval_file", "chat_template", "ref_model");

  /** Names of files with a split other than the training split. */
  private static final Pattern OTHER_SPLIT =
      Pattern.compile("(.*[-._ ])?(test|validation|valid|val|dev|eval)([-._ 0-9].*)?");

  /** Prints the notices. */
  public void report(RunOutput output) {
    notices.forEach(output::note);
  }

  /** Every name that {@code train} handles: its own options, their aliases and TRL's. */
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
    return resolve(Map.of(), file, flags);
  }

  /**
   * Resolves options by name.
   *
   * @param defaults of the command; the file and the flags win over them
   * @param file from the YAML file; may be empty
   * @param flags from the command line; they win over the file
   * @throws UsageException as above
   */
  public static TrainingOptions resolve(
      Map<String, String> defaults, Map<String, GivenValue> file, Map<String, GivenValue> flags) {
    Map<String, GivenValue> merged = new LinkedHashMap<>();
    defaults.forEach((name, value) -> merged.put(name, GivenValue.of(value)));
    merged.putAll(canonical(file));
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
                OptionText.of(
                    "%s{%s} is given twice, as %s and as %s; keep one",
                    value.origin(), known, other.text(), value.text()));
          }
        });
    return canonical;
  }

  /** One pass over the given options that collects all notices, warnings and errors. */
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
      own.forEach(this::requireThere);
      if (!errors.isEmpty()) {
        throw new UsageException(String.join("\n", errors));
      }
      TrainingConfig config = TrainingConfig.OPTIONS.read(own);
      if (!config.trainsAdapter()) {
        noticeAdapterOptions();
      }
      noticeLabelSmoothing(config.loss());
      noticePacking(config);
      notices.addAll(config.scheduleNotices());
      if (config.schedule().warmupRatio() > 0) {
        notices.add(
            OptionText.of(
                    "{warmup_ratio} %s is read as {warmup_steps} %s, its name since transformers 5, where TRL",
                    OptionType.text(config.schedule().warmupRatio()),
                    OptionType.text(config.schedule().warmupRatio()))
                + " would ignore the old one in a YAML file");
      }
      return new TrainingOptions(config, List.copyOf(notices));
    }

    /** Reports a path that exists relative to the YAML file but not to the working directory. */
    private void requireThere(String name, GivenValue value) {
      if (!INPUTS.contains(name) || value.origin().isEmpty() || value.none()) {
        return;
      }
      for (String item : items(value)) {
        String text =
            name.equals("eval_file") ? EvaluationFiles.path(Path.of(item)).toString() : item;
        Path folder = Path.of(value.origin().replaceFirst(":\\d+: $", "")).toAbsolutePath();
        while (!isThere(text) && (folder = folder.getParent()) != null) {
          String beside = folder + "/" + text;
          if (isThere(beside)) {
            errors.add(
                OptionText.of(
                        "%s{%s} %s is not there: relative paths start at the current folder,",
                        value.origin(), name, text)
                    + " which is %s; run from %s, or write %s"
                        .formatted(Path.of("").toAbsolutePath(), folder, beside));
            break;
          }
        }
      }
    }

    private static List<String> items(GivenValue value) {
      try {
        return OptionType.items(value.text()).toList();
      } catch (IllegalArgumentException e) {
        return List.of(); // refused when the option is read
      }
    }

    private void noticePacking(TrainingConfig config) {
      if (config.data().packing() && config.loss().examples() != ExampleKind.DEMONSTRATIONS) {
        notices.add(
            OptionText.of(
                "{packing} has no effect: prompts and completions are computed without padding"));
      }
    }

    private void noticeLabelSmoothing(TrainingConfig.Loss loss) {
      if (loss.labelSmoothing() > 0
          && (loss.lossType().contains(LossType.SIGMOID)
              || loss.lossType().contains(LossType.SIGMOID_NORM))) {
        notices.add(
            OptionText.of(
                "{label_smoothing} %s makes {loss_type} %s conservative DPO (cDPO) here; TRL ignores"
                    + " it there",
                OptionType.text(loss.labelSmoothing()), OptionType.text(loss.lossType())));
      }
    }

    /** Reported as notices, since TRL's files often have these options beside use_peft false. */
    private void noticeAdapterOptions() {
      own.forEach(
          (name, value) -> {
            boolean adapters = name.startsWith("lora_") || name.equals("use_rslora");
            if (adapters && !value.none() && !value.text().equals("false")) {
              notices.add(
                  OptionText.of(
                      "{%s} %s has no effect here: it matters with {use_peft} or {adapter} only",
                      name, brief(value)));
            }
          });
    }

    private void translate(String name, GivenValue value) {
      Optional<TrlOptions.Row> row = trl.answer(name, value.text());
      boolean ours = TrainingConfig.OPTIONS.canonicalName(name).isPresent();
      if (ours && row.isEmpty()) {
        take(name, value);
      } else if (row.isEmpty() && !trl.names().contains(name)) {
        errors.add(value.origin() + Suggestion.unknown(name, names()));
      } else if (ours || !value.none()) {
        row.ifPresent(found -> answer(name, value, found));
      }
    }

    /**
     * Takes a value of dpo4j's; items of a list that have no effect or are refused are left out.
     */
    private void take(String name, GivenValue value) {
      List<String> items = isList(name) ? items(value) : List.of();
      List<String> taken = new ArrayList<>();
      for (String item : items) {
        Optional<TrlOptions.Row> row =
            trl.answer(name, item)
                .filter(found -> List.of("accepted", "refused").contains(found.answer()));
        row.ifPresentOrElse(
            found -> answer(name, new GivenValue(item, value.origin()), found),
            () -> taken.add(item));
      }
      if (taken.size() == items.size()) {
        own.put(name, value);
      } else if (!taken.isEmpty()) {
        own.put(name, new GivenValue(OptionType.text(taken), value.origin()));
      }
    }

    private static boolean isList(String name) {
      return TrainingConfig.OPTIONS.options().stream()
          .anyMatch(option -> option.name().equals(name) && option.list());
    }

    private void answer(String name, GivenValue value, TrlOptions.Row row) {
      switch (row.answer()) {
        case "same" -> {} // dpo4j does this anyway
        case "accepted" -> accept(name, value, row);
        case "each" ->
            YamlOptions.mapping(name, value)
                .forEach(
                    (key, item) -> {
                      if (trl.answer(key, item.text()).stream()
                          .anyMatch(other -> other.heading().equals(row.heading()))) {
                        translate(key, item);
                      } else {
                        refuse(name, new GivenValue(key, value.origin()), row);
                      }
                    });
        case "replaced", "local" -> {
          if (row.answer().equals("local") && isThere(value.text())) {
            requireOneSplit(name, value);
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
          OptionText.of(
              "{%s} %s has no effect here: %s", name, brief(value), row.text().split(";")[0]));
    }

    private void refuse(String name, GivenValue value, TrlOptions.Row row) {
      errors.add(
          OptionText.of(
              "%s{%s} %s is refused: %s", value.origin(), name, brief(value), row.text()));
    }

    private void rename(String name, GivenValue value, String option, String text) {
      GivenValue other = given.get(option);
      if (other == null || option.equals(name)) {
        own.put(option, new GivenValue(text, value.origin()));
      } else {
        errors.add(
            OptionText.of(
                "%s{%s} and {%s} say the same; keep {%s}", value.origin(), name, option, option));
      }
    }

    /** Refuses a folder with several splits, of which TRL would read the train split alone. */
    private void requireOneSplit(String name, GivenValue value) {
      if (!Files.isDirectory(Path.of(value.text()))) {
        return;
      }
      try (Stream<Path> files = Files.list(Path.of(value.text()))) {
        files
            .map(file -> file.getFileName().toString())
            .filter(file -> OTHER_SPLIT.matcher(file.replaceAll("\\.\\w+$", "")).matches())
            .min(Comparator.naturalOrder())
            .ifPresent(
                file ->
                    errors.add(
                        OptionText.of(
                            "%s{%s} %s holds several splits, such as %s, and all files of a folder"
                                + " would be trained on; name the files with {data_file} '%s'",
                            value.origin(),
                            name,
                            brief(value),
                            file,
                            Path.of(value.text()).resolve("train*"))));
      } catch (IOException e) {
        // Reported when the folder is read.
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
