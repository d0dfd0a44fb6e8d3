package org.dpo4j.run;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.dpo4j.Message;
import org.dpo4j.OptionText;
import org.dpo4j.config.Choosing;
import org.dpo4j.config.PairsConfig;
import org.dpo4j.data.SampledPrompt;
import org.dpo4j.judge.AnswerFigures;
import org.dpo4j.judge.AnswerTally;
import org.dpo4j.judge.Judge;
import org.dpo4j.options.OptionType;
import org.dpo4j.report.RunOutput;
import org.dpo4j.report.ShortNumber;
import org.jspecify.annotations.Nullable;

/** Makes preference pairs, or completions with labels, of completions that a judge scores. */
public final class PairsRun {

  /** A completion with its score. */
  private record Scored(String text, double score) {}

  private final PairsConfig config;
  private final RowWriter writer;
  private final AnswerTally tally;
  private int prompts;
  private int completions;
  private int empty;
  private int duplicates;
  private int none;
  private int single;
  private int equal;
  private int close;
  private int used;
  private int rows;
  private int good;

  private PairsRun(PairsConfig config, RowWriter writer) {
    this.config = config;
    this.writer = writer;
    this.tally = new AnswerTally(config.judging().leastGood());
  }

  /**
   * Judges and chooses; the output file appears when it is complete.
   *
   * @return number of rows
   */
  public static int run(PairsConfig config, RunOutput output) {
    config.checkInputs();
    List<Path> inputs = new ArrayList<>(config.judging().inputs());
    inputs.add(config.completionsFile());
    try (RowWriter writer = RowWriter.open(config.output(), inputs, output)) {
      PairsRun run = new PairsRun(config, writer);
      if (config.choosing().chosenColumn().isPresent()) {
        SampledFile.forEach(config.completionsFile(), "pairs", output.progress(), run::against);
      } else {
        try (Judge judge = config.judging().open(config.threads(), output::warn)) {
          SampledFile.forEach(
              config.completionsFile(),
              config.judging().judge().orElseThrow().toString(),
              output.progress(),
              prompt -> run.choose(prompt, judge.scores(prompt)));
          judge.end();
        }
      }
      writer.publish();
      writer.say(run.summary());
      return run.rows;
    }
  }

  /** Pairs of the row's own completion with each sampled one (SPIN, Chen et al. 2024). */
  private void against(SampledPrompt prompt) {
    count(prompt);
    String column = config.choosing().chosenColumn().orElseThrow();
    OwnCompletion own = OwnCompletion.of(prompt, column);
    int before = rows;
    for (SampledPrompt.Completion completion : different(prompt)) {
      if (completion.text().strip().equals(own.text().strip())) {
        equal++;
      } else {
        Map<String, @Nullable Object> row = start(prompt);
        row.put("chosen", own.value());
        row.put("rejected", answer(prompt, completion.text()));
        row.putAll(prompt.place());
        write(row);
      }
    }
    used += rows > before ? 1 : 0;
  }

  private void count(SampledPrompt prompt) {
    prompts++;
    completions += prompt.completions().size();
  }

  /** The completions that can be trained on, the first of each text. */
  private List<SampledPrompt.Completion> different(SampledPrompt prompt) {
    List<SampledPrompt.Completion> different = new ArrayList<>();
    Set<String> texts = new HashSet<>();
    for (SampledPrompt.Completion completion : prompt.completions()) {
      if (completion.text().isEmpty()) {
        empty++;
      } else if (texts.add(completion.text())) {
        different.add(completion);
      } else {
        duplicates++;
      }
    }
    return different;
  }

  private void choose(SampledPrompt prompt, double[] scores) {
    count(prompt);
    tally.add(prompt, scores);
    List<Scored> different =
        different(prompt).stream()
            .map(completion -> new Scored(completion.text(), scores[completion.number()]))
            .toList();
    if (config.unpaired()) {
      different.forEach(each -> write(labelled(prompt, each)));
    } else {
      pair(prompt, different);
    }
  }

  private void pair(SampledPrompt prompt, List<Scored> different) {
    if (different.isEmpty()) {
      none++;
      return;
    }
    double best = different.stream().mapToDouble(Scored::score).max().orElseThrow();
    double worst = different.stream().mapToDouble(Scored::score).min().orElseThrow();
    if (different.size() == 1) {
      single++;
    } else if (best == worst) {
      equal++;
    } else if (!(best - worst > config.choosing().margin())) {
      close++;
    } else {
      used++;
      if (config.choosing().choose() == Choosing.PairChoice.BEST_WORST) {
        write(pairOf(prompt, first(different, best), first(different, worst)));
      } else {
        writeAll(prompt, different);
      }
    }
  }

  private void writeAll(SampledPrompt prompt, List<Scored> different) {
    for (Scored chosen : different) {
      for (Scored rejected : different) {
        if (chosen.score() - rejected.score() > config.choosing().margin()) {
          write(pairOf(prompt, chosen, rejected));
        }
      }
    }
  }

  private void write(Map<String, @Nullable Object> row) {
    writer.write(row);
    rows++;
  }

  /** The first of several with a score, so that a pair does not depend on chance. */
  private static Scored first(List<Scored> all, double score) {
    return all.stream().filter(each -> each.score() == score).findFirst().orElseThrow();
  }

  private static Map<String, @Nullable Object> pairOf(
      SampledPrompt prompt, Scored chosen, Scored rejected) {
    Map<String, @Nullable Object> row = start(prompt);
    row.put("chosen", answer(prompt, chosen.text()));
    row.put("rejected", answer(prompt, rejected.text()));
    row.put("score_chosen", chosen.score());
    row.put("score_rejected", rejected.score());
    row.putAll(prompt.place());
    return row;
  }

  private Map<String, @Nullable Object> labelled(SampledPrompt prompt, Scored completion) {
    boolean isGood = completion.score() >= config.judging().leastGood().orElseThrow();
    good += isGood ? 1 : 0;
    Map<String, @Nullable Object> row = start(prompt);
    row.put("completion", answer(prompt, completion.text()));
    row.put("label", isGood);
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
  private static Object answer(SampledPrompt prompt, String text) {
    return prompt.prompt().text() == null ? fields(List.of(Message.assistant(text))) : text;
  }

  private static List<Map<String, @Nullable Object>> fields(List<Message> messages) {
    return messages.stream().map(Message::fields).toList();
  }

  private List<String> summary() {
    List<String> lines = new ArrayList<>();
    lines.add(
        "%s, %s%s%s%s"
            .formatted(
                ShortNumber.count(prompts, "prompt"),
                ShortNumber.count(completions, "completion"),
                dropped(empty, "empty"),
                dropped(duplicates, duplicates == 1 ? "a duplicate" : "duplicates"),
                config.judging().judge().isPresent() ? scores(tally.figures()) : ""));
    if (config.unpaired()) {
      lines.add(
          "%s: %d with label true, %d with false"
              .formatted(ShortNumber.count(rows, "row"), good, rows - good));
      return lines;
    }
    lines.add(
        "%s of %s".formatted(ShortNumber.count(rows, "pair"), ShortNumber.count(used, "prompt")));
    if (config.choosing().chosenColumn().isPresent()) {
      if (equal > 0) {
        lines.add(
            "%s without a pair: equal to the row's own"
                .formatted(ShortNumber.count(equal, "completion")));
      }
    } else {
      fate(lines, none, "empty completions only");
      fate(lines, single, "one completion only");
      fate(lines, equal, "equal scores only");
      fate(
          lines,
          close,
          OptionText.of(
              "no scores that differ by more than {margin} %s",
              number(config.choosing().margin())));
    }
    return lines;
  }

  private static String dropped(int count, String why) {
    return count > 0 ? ", %d of them %s, dropped".formatted(count, why) : "";
  }

  private static String scores(AnswerFigures answers) {
    String rate =
        answers.passRate().isPresent()
            ? ", pass rate " + number(answers.passRate().getAsDouble())
            : "";
    return "; mean score %s%s".formatted(number(answers.meanScore()), rate);
  }

  private void fate(List<String> lines, int count, String why) {
    if (count > 0) {
      lines.add("%s without a pair: %s".formatted(ShortNumber.count(count, "prompt"), why));
    }
  }

  private static String number(double value) {
    return OptionType.shortest(Math.rint(value * 1e4) / 1e4);
  }
}
