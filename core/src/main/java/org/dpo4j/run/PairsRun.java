package org.dpo4j.run;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.dpo4j.DpoException;
import org.dpo4j.Message;
import org.dpo4j.OptionText;
import org.dpo4j.config.PairChoice;
import org.dpo4j.config.PairsConfig;
import org.dpo4j.data.SampledPrompt;
import org.dpo4j.data.SampledReader;
import org.dpo4j.judge.Judge;
import org.dpo4j.options.OptionType;
import org.dpo4j.report.RunOutput;
import org.jspecify.annotations.Nullable;

/** Makes preference pairs, or completions with labels, of completions that a judge scores. */
public final class PairsRun {

  /** A completion with its score. */
  private record Scored(String text, double score) {}

  private final PairsConfig config;
  private final RowWriter writer;
  private int prompts;
  private int completions;
  private int duplicates;
  private int single;
  private int equal;
  private int close;
  private int paired;
  private int rows;
  private int good;
  private double sum;

  private PairsRun(PairsConfig config, RowWriter writer) {
    this.config = config;
    this.writer = writer;
  }

  /** Judges and chooses; the output file appears when it is complete. */
  public static void run(PairsConfig config, RunOutput output) {
    config.checkInputs();
    List<Path> inputs = new ArrayList<>(List.of(config.completionsFile()));
    config.schema().ifPresent(inputs::add);
    config.scoresFile().ifPresent(inputs::add);
    config.rewardModel().ifPresent(inputs::add);
    try (Judge judge = config.openJudge(output::warn);
        SampledReader reader = SampledReader.open(config.completionsFile());
        RowWriter writer = RowWriter.open(config.output(), inputs, output)) {
      PairsRun run = new PairsRun(config, writer);
      for (Optional<SampledPrompt> prompt = reader.next();
          prompt.isPresent();
          prompt = reader.next()) {
        run.take(prompt.get(), judge.scores(prompt.get()));
        output.progress().update(config.judge().toString(), run.prompts, 0, "");
      }
      if (run.prompts == 0) {
        throw new DpoException(
            "[%s] must hold at least one prompt but holds none; sample writes such files"
                .formatted(config.completionsFile()));
      }
      judge.end();
      writer.publish();
      writer.say(run.summary());
    }
  }

  private void take(SampledPrompt prompt, double[] scores) {
    prompts++;
    List<Scored> different = new ArrayList<>();
    Set<String> texts = new HashSet<>();
    for (SampledPrompt.Completion completion : prompt.completions()) {
      completions++;
      double score = scores[completion.number()];
      if (texts.add(completion.text())) {
        different.add(new Scored(completion.text(), score));
        sum += score;
        good += score >= config.leastGood() ? 1 : 0;
      } else {
        duplicates++;
      }
    }
    if (config.unpaired()) {
      different.forEach(each -> writer.write(labelled(prompt, each)));
      rows += different.size();
    } else {
      pair(prompt, different);
    }
  }

  private void pair(SampledPrompt prompt, List<Scored> different) {
    double best = different.stream().mapToDouble(Scored::score).max().orElseThrow();
    double worst = different.stream().mapToDouble(Scored::score).min().orElseThrow();
    if (different.size() == 1) {
      single++;
    } else if (best == worst) {
      equal++;
    } else if (!(best - worst > config.margin())) {
      close++;
    } else {
      paired++;
      if (config.choose() == PairChoice.BEST_WORST) {
        write(prompt, first(different, best), first(different, worst));
      } else {
        writeAll(prompt, different);
      }
    }
  }

  private void writeAll(SampledPrompt prompt, List<Scored> different) {
    for (Scored chosen : different) {
      for (Scored rejected : different) {
        if (chosen.score() - rejected.score() > config.margin()) {
          write(prompt, chosen, rejected);
        }
      }
    }
  }

  private void write(SampledPrompt prompt, Scored chosen, Scored rejected) {
    writer.write(pairOf(prompt, chosen, rejected));
    rows++;
  }

  /** The first of several with a score, so that a pair does not depend on chance. */
  private static Scored first(List<Scored> all, double score) {
    return all.stream().filter(each -> each.score() == score).findFirst().orElseThrow();
  }

  private static Map<String, @Nullable Object> pairOf(
      SampledPrompt prompt, Scored chosen, Scored rejected) {
    Map<String, @Nullable Object> row = start(prompt);
    row.put("chosen", answer(prompt, chosen));
    row.put("rejected", answer(prompt, rejected));
    row.put("score_chosen", chosen.score());
    row.put("score_rejected", rejected.score());
    row.putAll(prompt.place());
    return row;
  }

  private Map<String, @Nullable Object> labelled(SampledPrompt prompt, Scored completion) {
    Map<String, @Nullable Object> row = start(prompt);
    row.put("completion", answer(prompt, completion));
    row.put("label", completion.score() >= config.leastGood());
    row.put("score", completion.score());
    row.putAll(prompt.place());
    return row;
  }

  private static Map<String, @Nullable Object> start(SampledPrompt prompt) {
    Map<String, @Nullable Object> row = new LinkedHashMap<>();
    String text = prompt.prompt().text();
    row.put("prompt", text == null ? fields(prompt.prompt().messages()) : text);
    return row;
  }

  /** A turn of the assistant in a conversation, else the text. */
  private static Object answer(SampledPrompt prompt, Scored completion) {
    return prompt.prompt().text() == null
        ? fields(List.of(Message.assistant(completion.text())))
        : completion.text();
  }

  private static List<Map<String, @Nullable Object>> fields(List<Message> messages) {
    return messages.stream().map(Message::fields).toList();
  }

  private List<String> summary() {
    List<String> lines = new ArrayList<>();
    int judged = completions - duplicates;
    lines.add(
        "%d prompts, %d completions%s; mean score %s"
            .formatted(
                prompts,
                completions,
                duplicates > 0 ? ", %d of them duplicates, dropped".formatted(duplicates) : "",
                number(sum / judged)));
    if (config.unpaired()) {
      lines.add("%d rows: %d with label true, %d with false".formatted(rows, good, rows - good));
    } else {
      lines.add("%d pairs of %d prompts".formatted(rows, paired));
      fate(lines, single, "have one completion only");
      fate(lines, equal, "have equal scores only");
      fate(
          lines,
          close,
          OptionText.of(
              "have no scores that differ by more than {margin} %s", number(config.margin())));
    }
    return lines;
  }

  private void fate(List<String> lines, int count, String why) {
    if (count > 0) {
      lines.add("%d prompts without a pair: they %s".formatted(count, why));
    }
  }

  private static String number(double value) {
    return OptionType.shortest(Math.rint(value * 1e4) / 1e4);
  }
}
