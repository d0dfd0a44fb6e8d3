package org.dpo4j.report;

import static org.dpo4j.report.SafeText.markdown;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import org.dpo4j.EvaluationReport;
import org.dpo4j.ExampleKind;
import org.dpo4j.weights.HubName;
import org.jspecify.annotations.Nullable;

/**
 * Writes the output folder's {@code README.md}: a model card in the format of the Hugging Face hub.
 */
public final class ModelCard {
  private static final Pattern PLAIN_WORD = Pattern.compile("[\\w./-]+");
  private static final Pattern BACKTICKS = Pattern.compile("`+");

  /** The folders of an absolute path, on Unix or Windows. */
  private static final Pattern FOLDERS =
      Pattern.compile("(?<![\\w.~/\\\\-])(?:[A-Za-z]:)?[/\\\\](?:[^\\s/\\\\:;,()\\[\\]]+[/\\\\])+");

  private static final String PROMPT = "Which would you rather visit, the past or the future?";

  private final RunSummary run;
  private final StringBuilder text = new StringBuilder();

  private ModelCard(RunSummary run) {
    this.run = run;
  }

  /** Writes the card, which links to {@code curves.png} beside it. */
  public static void write(Path file, RunSummary run) throws IOException {
    Files.writeString(file, text(run));
  }

  /** The card's text. */
  static String text(RunSummary run) {
    ModelCard card = new ModelCard(run);
    card.frontMatter();
    card.introduction();
    card.quickStart();
    card.results();
    card.warnings();
    card.samples();
    card.training();
    card.data();
    card.origin();
    card.closing();
    return SafeText.text(card.text.toString());
  }

  private void frontMatter() {
    line("---");
    line("base_model: " + JsonFile.quote(modelName(run.baseModel())));
    Set<String> datasets = new LinkedHashSet<>();
    run.data().forEach(file -> datasets.add(lastPart(file.name())));
    if (!datasets.isEmpty()) {
      line("datasets:");
      datasets.forEach(name -> line("- " + JsonFile.quote(name)));
    }
    line("library_name: " + (run.adapter() ? "peft" : "transformers"));
    @Nullable String license = run.license();
    if (license != null) {
      line("license: " + JsonFile.quote(license));
    }
    line("model_name: " + JsonFile.quote(run.modelName()));
    line("pipeline_tag: text-generation");
    line("tags:");
    line("- generated_from_trainer");
    Method.of(run.minimized()).tags().forEach(tag -> line("- " + tag));
    line("- dpo4j");
    if (run.adapter()) {
      line("- lora");
    }
    line("---");
    line("");
  }

  private void introduction() {
    line("# " + markdown(run.modelName()));
    line("");
    line(
        "This %s %s, %s"
            .formatted(
                run.adapter() ? "is a LoRA adapter for" : "model is",
                markdown(modelName(run.baseModel())),
                Method.of(run.minimized()).words()));
    line(
        "by dpo4j. Loss: %s.%s"
            .formatted(
                markdown(run.loss()),
                run.kind() == ExampleKind.DEMONSTRATIONS
                    ? ""
                    : " Reference: %s.".formatted(markdown(run.reference()))));
    line("");
  }

  private void quickStart() {
    String folder = run.account().folder();
    String weights =
        run.adapter()
            ? "--model %s --adapter %s".formatted(word(run.account().base()), word(folder))
            : "--model " + word(folder);
    line("## Quick start");
    line("");
    line(
        folder.equals(".")
            ? "From inside this folder, with dpo4j:"
            : "In the folder from which dpo4j ran:");
    line("");
    line("```sh");
    line(
        "%s generate %s --prompt \"%s\"%s"
            .formatted(
                folder.equals(".") ? "dpo4j" : "./dpo4j",
                weights,
                PROMPT,
                run.conversational() ? "" : " --raw"));
    line("```");
    line("");
    line("or with transformers%s:".formatted(run.adapter() ? " and peft" : ""));
    line("");
    line("```python");
    line("from transformers import pipeline");
    line("");
    line("generator = pipeline(\"text-generation\", model=%s)".formatted(JsonFile.quote(folder)));
    line("prompt = \"%s\"".formatted(PROMPT));
    if (run.conversational()) {
      line("messages = [{\"role\": \"user\", \"content\": prompt}]");
    }
    line(
        "output = generator(%s, max_new_tokens=128, return_full_text=False)[0]"
            .formatted(run.conversational() ? "messages" : "prompt"));
    line("print(output[\"generated_text\"])");
    line("```");
    line("");
    line("Elsewhere, `model` is the path of this folder, or its name on the hub.");
    line("");
  }

  /** A word of a shell, in quotes where it needs them. */
  private static String word(String raw) {
    String text = SafeText.line(raw); // a line of fences in it would end the block
    return PLAIN_WORD.matcher(text).matches() ? text : "'" + text.replace("'", "'\\''") + "'";
  }

  private void samples() {
    if (run.account().samples().isEmpty()) {
      return;
    }
    line("## Sample answers");
    line("");
    line(
        "To the first prompts of the %s, the likeliest token each time, at most 48 tokens (… where"
                .formatted(
                    (run.heldOut().isEmpty() ? "training " : "held-out ") + run.kind().noun() + "s")
            + " the answer was longer). Prompts are shown as the model sees them.");
    line("");
    for (RunSummary.Sample sample : run.account().samples()) {
      block("Prompt:", sample.prompt());
      block("Before:", sample.before());
      block("After:", sample.after());
      line("---");
      line("");
    }
  }

  /** A fenced block of any text; its fence is longer than any in the text. */
  private void block(String heading, String raw) {
    String shown = raw.replaceAll("\\R", "\n").strip();
    int longest =
        BACKTICKS.matcher(shown).results().mapToInt(run -> run.group().length()).max().orElse(0);
    String fence = "`".repeat(Math.max(3, longest + 1));
    line(heading);
    line("");
    line(fence + "text");
    line(shown.isEmpty() ? "(nothing)" : shown);
    line(fence);
    line("");
  }

  private void warnings() {
    if (run.account().warnings().isEmpty()) {
      return;
    }
    line("## Warnings of the run");
    line("");
    run.account().warnings().forEach(warning -> line("- " + markdown(withoutFolders(warning))));
    line("");
  }

  /** Removes the folders of absolute paths, since a published card must not reveal them. */
  private static String withoutFolders(String text) {
    return FOLDERS.matcher(text).replaceAll("");
  }

  private void training() {
    line("## Training");
    line("");
    line(
        markdown(run.account().training())
            + " Rows: %s. The run took %s.".formatted(markdown(run.rowForm()), took()));
    line("");
    if (run.settings().isEmpty()) {
      line("All settings had their defaults;");
    } else {
      line("| setting that differs from its default | value |");
      line("|---|---|");
      run.settings()
          .forEach((name, value) -> line("| %s | %s |".formatted(markdown(name), markdown(value))));
      line("");
    }
    line("`dpo4j.yaml` has all settings and repeats the run.");
    line("");
    line("![%s over steps](curves.png)".formatted(Method.of(run.minimized()).curves()));
    line("");
  }

  private String took() {
    return TimeText.of(run.trainSeconds());
  }

  private void results() {
    line("## Results");
    line("");
    run.account().results().forEach(sentence -> line("- " + markdown(sentence)));
    line("");
    run.heldOut().forEach(this::heldOut);
  }

  private void heldOut(RunHistory.HeldOut set) {
    EvaluationReport first = set.first();
    EvaluationReport last = set.last();
    ExampleKind kind = last.metrics().kind();
    boolean compares = set.compares();
    line(
        "On %s%s, %safter step %d."
            .formatted(
                ShortNumber.count(last.examples(), "held-out " + kind.noun()),
                set.of(),
                compares ? "before training and " : "",
                last.step()));
    line("");
    line(compares ? "| metric | before | after |" : "| metric | after |");
    line(compares ? "|---|---:|---:|" : "|---|---:|");
    Map<String, Number> before = MetricNames.of(first);
    Map<String, Number> after = MetricNames.of(last);
    for (String name : MetricNames.ofEvaluation(kind, last.dataset())) {
      @Nullable Number value = after.get(name);
      @Nullable Number was = before.get(name);
      if (value == null) {
        continue;
      }
      boolean tie = first.metrics().tied() && name.endsWith("rewards/accuracies");
      String old = !compares || was == null ? "" : " | " + (tie ? "(ties)" : ShortNumber.of(was));
      line("| %s%s | %s |".formatted(markdown(name), old, ShortNumber.of(value)));
    }
    line("");
  }

  private void data() {
    if (run.data().isEmpty()) {
      return;
    }
    line("## Data");
    line("");
    for (RunSummary.DataFile file : run.data()) {
      long dropped = file.dropped().values().stream().mapToLong(Long::longValue).sum();
      List<String> fates = new ArrayList<>();
      fates.add(file.kept() + " used whole");
      fates.add(file.cut() + " cut to the maximal length");
      String reasons =
          file.dropped().entrySet().stream()
              .map(entry -> markdown(entry.getKey()) + ": " + entry.getValue())
              .collect(Collectors.joining("; ", " (", ")"));
      fates.add(dropped + " not used" + (dropped == 0 ? "" : reasons));
      line(
          "- %s, %s: of %d rows, %s."
              .formatted(
                  markdown(lastPart(file.name())),
                  markdown(file.use()),
                  file.kept() + file.cut() + dropped,
                  String.join(", ", fates)));
    }
    line("");
  }

  private void origin() {
    RunSummary.Origin origin = run.origin();
    line("## Origin");
    line("");
    line("- weights: saved as %s".formatted(markdown(origin.saved())));
    String base = markdown(modelName(run.baseModel()));
    line("- base model %s: weights sha256 `%s`".formatted(base, origin.weightsSha256()));
    if (!origin.lineage().isEmpty()) {
      line(
          "- %s was tuned from %s"
              .formatted(
                  base,
                  origin.lineage().stream()
                      .map(name -> markdown(modelName(name)))
                      .collect(Collectors.joining(", which was tuned from "))));
    }
    origin
        .dataSha256()
        .forEach(
            (file, hash) ->
                line("- data %s: sha256 `%s`".formatted(markdown(lastPart(file)), hash)));
    line("");
  }

  private void closing() {
    line("## Framework versions");
    line("");
    run.versions()
        .forEach((name, version) -> line("- %s: %s".formatted(markdown(name), markdown(version))));
    line("");
    line("## Citation");
    line("");
    Method.of(run.minimized()).citation().lines().forEach(this::line);
  }

  /** A hub name unchanged, or only the last part of a folder's path. */
  private static String modelName(String nameOrPath) {
    boolean onHub = HubName.matches(nameOrPath) && !Files.exists(Path.of(nameOrPath));
    return onHub ? nameOrPath : lastPart(nameOrPath);
  }

  /** The last part of a path, since a published card must not reveal folders. */
  private static String lastPart(String nameOrPath) {
    String[] parts = nameOrPath.replaceAll("[/\\\\]+$", "").split("[/\\\\]", -1);
    return parts[parts.length - 1];
  }

  private void line(String line) {
    text.append(line).append('\n');
  }
}
