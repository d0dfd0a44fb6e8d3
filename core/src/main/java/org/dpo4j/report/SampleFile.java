package org.dpo4j.report;

import java.io.IOException;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;
import org.dpo4j.DpoException;
import org.dpo4j.data.BoundedJson;
import org.dpo4j.data.FileFailure;
import org.dpo4j.data.JsonFault;
import org.dpo4j.options.BoundedFile;
import org.dpo4j.options.Limit;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.JsonNode;

/** {@code samples.jsonl}: the model's answers to a few prompts in the course of a run. */
public final class SampleFile {

  /** The name of the file in the folder of a run. */
  public static final String NAME = "samples.jsonl";

  private final StepLines lines;

  /**
   * A file that writes nothing before {@link #begin}.
   *
   * @param warn receives a message if a line cannot be written; the run goes on without the file
   */
  public SampleFile(Consumer<String> warn) {
    this.lines = new StepLines(warn);
  }

  /**
   * Starts the file.
   *
   * @param path replaced if it exists
   * @param step that a continued run starts from, whose earlier answers are kept; 0 for a new run
   */
  public void begin(Path path, int step) {
    lines.begin(path, step, line -> false, List.of());
  }

  /**
   * Appends an answer.
   *
   * @param step steps done
   */
  public void add(int step, String prompt, String answer) {
    Map<String, Object> line = new LinkedHashMap<>();
    line.put("step", step);
    line.put("prompt", prompt);
    line.put("answer", answer);
    lines.append(JsonFile.line(line) + "\n");
  }

  /**
   * Reads the answers of a run.
   *
   * @return in the order of the prompts; of a prompt in the order of the steps
   * @throws DpoException if the file is damaged
   */
  public static List<PromptAnswers> read(Path file) {
    Map<String, Map<Integer, String>> answers = new LinkedHashMap<>();
    try {
      List<String> all = BoundedFile.text(file, Limit.PROMPTS_BYTES).lines().toList();
      for (int number = 1; number <= all.size(); number++) {
        JsonNode json = BoundedJson.LENIENT.readTree(all.get(number - 1));
        if (!json.path("step").isInt()
            || !json.path("prompt").isString()
            || !json.path("answer").isString()) {
          throw new DpoException(
              "[%s:%d] must have a step, a prompt and an answer; the file is damaged: move it away"
                  .formatted(file, number));
        }
        answers
            .computeIfAbsent(json.get("prompt").stringValue(), prompt -> new LinkedHashMap<>())
            .put(json.get("step").intValue(), json.get("answer").stringValue());
      }
    } catch (IOException e) {
      throw new DpoException(
          "[%s] cannot be read: %s".formatted(file, FileFailure.reason(e, file)), e);
    } catch (JacksonException e) {
      throw new DpoException("[%s] is not valid JSON: %s".formatted(file, JsonFault.words(e)), e);
    }
    return answers.entrySet().stream()
        .map(entry -> new PromptAnswers(entry.getKey(), entry.getValue()))
        .toList();
  }
}
