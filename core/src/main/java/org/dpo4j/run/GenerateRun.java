package org.dpo4j.run;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.dpo4j.Message;
import org.dpo4j.config.Devices;
import org.dpo4j.config.GenerateConfig;
import org.dpo4j.data.PromptReader;
import org.dpo4j.generate.Generator;
import org.dpo4j.report.RunOutput;
import org.dpo4j.report.SafeText;
import org.dpo4j.tokenizer.IncrementalDecoder;
import org.dpo4j.torch.Engine;
import tools.jackson.databind.json.JsonMapper;

/** Prints completions of prompts. */
public final class GenerateRun {

  private static final JsonMapper JSON = JsonMapper.shared();

  /** A prompt, with {@code [file:line] } if it is from a file. */
  private record Prompt(String place, List<Message> messages) {}

  private GenerateRun() {}

  /** One completion as text, or for a file of prompts one JSON line for each. */
  public static void run(GenerateConfig config, RunOutput output) {
    config.checkInputs();
    List<Prompt> prompts =
        config.prompt().isPresent()
            ? List.of(new Prompt("", List.of(Message.of("user", config.prompt().get()))))
            : prompts(config).stream()
                .map(prompt -> new Prompt(prompt.origin() + " ", prompt.messages()))
                .toList();
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
          new Generator(inputs.model(), inputs.endTokens(), config.tokens(), config.seed());
      // All prompts are checked before the first completion, so that a bad one fails early.
      List<int[]> ids = new ArrayList<>();
      for (Prompt prompt : prompts) {
        ids.add(
            PromptIds.of(
                prompt.place(), prompt.messages(), inputs.tokenizer(), config.raw(), generator));
      }
      for (int i = 0; i < ids.size(); i++) {
        String completion = complete(generator, ids.get(i), inputs, config);
        String result =
            config.prompt().isPresent()
                ? completion
                : SafeText.text(
                    JSON.writeValueAsString(line(prompts.get(i).messages(), completion)));
        output.data().print(result + System.lineSeparator()); // a completion may have several lines
        output.data().flush();
      }
    }
  }

  /** A text that follows a plain prompt keeps the space before its first word. */
  private static String complete(
      Generator generator, int[] prompt, ModelBundle inputs, GenerateConfig config) {
    IncrementalDecoder text =
        new IncrementalDecoder(
            inputs.tokenizer().text(),
            PromptIds.rendered(inputs.tokenizer(), config.raw()) ? new int[0] : prompt,
            config.stop().orElse(List.of()));
    StringBuilder completion = new StringBuilder();
    generator.generate(
        prompt,
        config.maxNewTokens(),
        id -> {
          completion.append(text.add(id));
          return !text.stopped();
        });
    return completion.append(text.finish()).toString();
  }

  private static Map<String, Object> line(List<Message> prompt, String completion) {
    Map<String, Object> line = new LinkedHashMap<>();
    line.put(
        "prompt",
        prompt.size() == 1 ? prompt.get(0).text() : prompt.stream().map(Message::fields).toList());
    line.put("completion", completion);
    return line;
  }

  private static List<PromptReader.Prompt> prompts(GenerateConfig config) {
    return config.readsStandardInput()
        ? PromptReader.readStandardInput(System.in)
        : PromptReader.read(config.promptsFile().orElseThrow());
  }
}
