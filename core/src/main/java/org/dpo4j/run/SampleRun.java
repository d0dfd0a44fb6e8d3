package org.dpo4j.run;

import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.dpo4j.Message;
import org.dpo4j.OptionText;
import org.dpo4j.config.Devices;
import org.dpo4j.config.SampleConfig;
import org.dpo4j.data.PromptReader;
import org.dpo4j.data.RowOrigin;
import org.dpo4j.data.Sha256;
import org.dpo4j.generate.Generator;
import org.dpo4j.report.Progress;
import org.dpo4j.report.RunOutput;
import org.dpo4j.report.ShortNumber;
import org.dpo4j.tokenizer.ModelTokenizer;
import org.dpo4j.torch.Engine;
import org.dpo4j.weights.Checkpoint;
import tools.jackson.databind.json.JsonMapper;

/** Writes completions of prompts with their log-probabilities: one JSON line per prompt. */
public final class SampleRun {

  private final SampleConfig config;
  private final List<PromptReader.Prompt> prompts;
  private final List<Generator.Prompt> encoded; // the same
  private final ModelTokenizer tokenizer;
  private final RowWriter writer;
  private final Progress progress;
  private int done;
  private long tokens;
  private int ended;

  private SampleRun(
      SampleConfig config,
      List<PromptReader.Prompt> prompts,
      List<Generator.Prompt> encoded,
      ModelTokenizer tokenizer,
      RowWriter writer,
      Progress progress) {
    this.config = config;
    this.prompts = prompts;
    this.encoded = encoded;
    this.tokenizer = tokenizer;
    this.writer = writer;
    this.progress = progress;
  }

  /** Samples; the output file appears when it is complete. */
  public static void run(SampleConfig config, RunOutput output) {
    config.checkInputs();
    List<PromptReader.Prompt> prompts = PromptReader.read(config.promptsFile());
    try (Engine.Threads threads = Engine.use(config.threads());
        ModelBundle inputs =
            ModelBundle.open(
                config.model(),
                config.adapter(),
                config.template().replacing(),
                Devices.of(config.device()),
                output)) {
      PromptIds.noteUnread(inputs, output);
      Generator generator =
          new Generator(
              inputs.model(), inputs.endTokens(), config.sampling().tokens(), config.seed());
      List<Generator.Prompt> encoded = new ArrayList<>();
      for (PromptReader.Prompt prompt : prompts) {
        String place = prompt.origin() + " ";
        int[] ids =
            PromptIds.of(
                place, prompt.messages(), inputs.tokenizer(), config.sampling().raw(), generator);
        encoded.add(new Generator.Prompt(ids, encoded.size()));
      }
      try (RowWriter writer =
          RowWriter.resumable(
              config.output(),
              inputs(config),
              identity(config, prompts, encoded, inputs),
              config.resume(),
              output)) {
        new SampleRun(config, prompts, encoded, inputs.tokenizer(), writer, output.progress())
            .sample(generator);
      }
    }
  }

  private static List<Path> inputs(SampleConfig config) {
    List<Path> inputs = new ArrayList<>(List.of(config.model(), config.promptsFile()));
    config.adapter().ifPresent(inputs::add);
    config.template().chatTemplate().ifPresent(inputs::add);
    return inputs;
  }

  /** A hash of all that the completions depend on. */
  private static String identity(
      SampleConfig config,
      List<PromptReader.Prompt> prompts,
      List<Generator.Prompt> encoded,
      ModelBundle inputs) {
    StringBuilder parts =
        new StringBuilder(
            "%d %d %s %s %d %d %s %s"
                .formatted(
                    config.sampling().numReturnSequences(),
                    config.sampling().maxNewTokens(),
                    config.sampling().temperature(),
                    config.sampling().topP(),
                    config.sampling().topK(),
                    config.seed(),
                    inputs.loaded().checkpoint().sha256(),
                    config
                        .adapter()
                        .map(folder -> Checkpoint.openAdapter(folder).sha256())
                        .orElse(RunIdentity.NONE)));
    for (int i = 0; i < encoded.size(); i++) {
      PromptReader.Prompt prompt = prompts.get(i);
      parts
          .append('\n')
          .append(prompt.origin())
          .append(Arrays.toString(encoded.get(i).ids()))
          .append(JsonMapper.shared().writeValueAsString(prompt.columns()));
    }
    return Sha256.of(parts.toString().getBytes(StandardCharsets.UTF_8));
  }

  private void sample(Generator generator) {
    int before = writer.kept();
    done = before;
    progress();
    generator.generate(
        encoded.subList(before, encoded.size()),
        config.sampling().numReturnSequences(),
        config.sampling().maxNewTokens(),
        config.sampling().generationBatchSize(),
        this::write);
    writer.publish();
    writer.say(summary(before));
  }

  private void progress() {
    progress.update("sample", done, prompts.size(), "");
  }

  private void write(List<Generator.Completion> completions) {
    writer.write(line(prompts.get(done), completions));
    done++;
    progress();
  }

  private Map<String, Object> line(
      PromptReader.Prompt prompt, List<Generator.Completion> completions) {
    Map<String, Object> line = new LinkedHashMap<>();
    List<Message> messages = prompt.messages();
    line.put(
        "prompt",
        PromptIds.rendered(tokenizer, config.sampling().raw())
            ? messages.stream().map(Message::fields).toList()
            : messages.get(0).text());
    RowOrigin origin = prompt.origin();
    line.put("file", origin.file());
    line.put("row", origin.row());
    if (origin.line() > 0) {
      line.put("line", origin.line());
    }
    if (!prompt.columns().isEmpty()) {
      line.put("columns", prompt.columns());
    }
    line.put("completions", completions.stream().map(this::values).toList());
    return line;
  }

  private Map<String, Object> values(Generator.Completion completion) {
    tokens += completion.count();
    ended += completion.ended() ? 1 : 0;
    Map<String, Object> values = new LinkedHashMap<>();
    values.put("text", text(completion.ids()));
    values.put("cumulative_logprob", completion.logProb());
    values.put("tokens", completion.count());
    values.put("finish_reason", completion.ended() ? "stop" : "length");
    return values;
  }

  /** A text that follows the prompt keeps the space before its first word. */
  private String text(int[] ids) {
    String alone = tokenizer.text().decode(ids);
    if (PromptIds.rendered(tokenizer, config.sampling().raw())) {
      return alone;
    }
    int[] prompt = encoded.get(done).ids();
    int[] all = Arrays.copyOf(prompt, prompt.length + ids.length);
    System.arraycopy(ids, 0, all, prompt.length, ids.length);
    String before = tokenizer.text().decode(prompt);
    String whole = tokenizer.text().decode(all);
    return whole.startsWith(before) ? whole.substring(before.length()) : alone;
  }

  private List<String> summary(int before) {
    int sampled = done - before;
    List<String> lines = new ArrayList<>();
    if (before > 0) {
      lines.add(
          "%d of %s completed before"
              .formatted(before, ShortNumber.count(prompts.size(), "prompt")));
    }
    int completions = sampled * config.sampling().numReturnSequences();
    if (completions > 0) {
      lines.add(
          "%s, %s, %s (%.1f a completion)"
              .formatted(
                  ShortNumber.count(sampled, "prompt"),
                  ShortNumber.count(completions, "completion"),
                  ShortNumber.count(tokens, "token"),
                  (double) tokens / completions));
      int cut = completions - ended;
      lines.add(
          "%d ended by the model, %d cut%s"
              .formatted(
                  ended,
                  cut,
                  cut > completions / 2
                      ? OptionText.of(
                          "; most are cut: raise {max_new_tokens}, or the model does not end its"
                              + " answers")
                      : ""));
    }
    return lines;
  }
}
