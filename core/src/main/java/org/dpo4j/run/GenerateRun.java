package org.dpo4j.run;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.dpo4j.config.Devices;
import org.dpo4j.config.GenerateConfig;
import org.dpo4j.generate.Generator;
import org.dpo4j.report.RunOutput;
import org.dpo4j.report.SafeText;
import org.dpo4j.tokenizer.IncrementalDecoder;
import org.dpo4j.torch.Engine;
import tools.jackson.databind.json.JsonMapper;

/** Prints completions of prompts. */
public final class GenerateRun {

  private static final JsonMapper JSON = JsonMapper.shared();

  private GenerateRun() {}

  /** One completion as text, or for a file of prompts one JSON line for each. */
  public static void run(GenerateConfig config, RunOutput output) {
    config.checkInputs();
    List<Prompt> prompts = Prompt.of(config.input());
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
      List<int[]> ids = Prompt.ids(prompts, inputs, config.raw(), generator);
      for (int i = 0; i < ids.size(); i++) {
        String completion = complete(generator, ids.get(i), inputs, config);
        String result =
            config.input().prompt().isPresent()
                ? completion
                : SafeText.text(JSON.writeValueAsString(line(prompts.get(i), completion)));
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

  private static Map<String, Object> line(Prompt prompt, String completion) {
    Map<String, Object> line = new LinkedHashMap<>();
    line.put("prompt", prompt.json());
    line.put("completion", completion);
    return line;
  }
}
