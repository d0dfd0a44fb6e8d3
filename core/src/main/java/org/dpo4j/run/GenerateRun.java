package org.dpo4j.run;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.dpo4j.DpoException;
import org.dpo4j.checkpoint.FileTrees;
import org.dpo4j.data.JsonFault;
import org.dpo4j.data.Message;
import org.dpo4j.generate.Generator;
import org.dpo4j.generate.Sampling;
import org.dpo4j.tokenizer.ChatRenderer;
import org.dpo4j.tokenizer.ModelTokenizer;
import org.dpo4j.torch.Engine;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** Completions of prompts, on standard output. */
public final class GenerateRun {

  private static final JsonMapper JSON = JsonMapper.shared();

  /** What to continue, and {@code [file:line] } where it is from a file. */
  private record Prompt(String place, List<Message> messages) {}

  private GenerateRun() {}

  /** One completion as text, or for a file of prompts one JSON line for each. */
  public static void run(GenerateConfig config, RunOutput output) {
    config.checkInputs();
    Engine.setThreads(config.threads());
    List<Prompt> prompts =
        config.prompt().isPresent()
            ? List.of(new Prompt("", List.of(Message.of("user", config.prompt().get()))))
            : read(config.promptsFile().orElseThrow(), config.readsStandardInput());
    try (LoadedInputs inputs = LoadedInputs.open(config.model(), config.adapter())) {
      Generator generator =
          new Generator(
              inputs.model(),
              endTokens(inputs),
              new Sampling(config.temperature(), config.topP()),
              config.seed());
      // All before the first completion: a bad last prompt shows at once.
      List<int[]> ids = new ArrayList<>();
      for (Prompt prompt : prompts) {
        ids.add(encode(prompt, inputs.tokenizer(), config.raw(), generator));
      }
      for (int i = 0; i < ids.size(); i++) {
        String completion =
            inputs.tokenizer().text().decode(generator.generate(ids.get(i), config.maxNewTokens()));
        output
            .out()
            .println(
                config.prompt().isPresent()
                    ? completion
                    : JSON.writeValueAsString(line(prompts.get(i).messages(), completion)));
        output.out().flush();
      }
    }
  }

  /** A prompt that the model can continue, or a message that names its place. */
  private static int[] encode(
      Prompt prompt, ModelTokenizer tokenizer, boolean raw, Generator generator) {
    try {
      int[] ids = encode(prompt.messages(), tokenizer, raw);
      generator.check(ids);
      return ids;
    } catch (DpoException e) {
      throw new DpoException(prompt.place() + e.getMessage(), e);
    }
  }

  /** As the model's own chat template wants it, or the bare text. */
  private static int[] encode(List<Message> prompt, ModelTokenizer tokenizer, boolean raw) {
    ChatRenderer template = tokenizer.template();
    if (raw || template == null) {
      if (prompt.size() > 1) {
        throw new DpoException(
            "a conversation needs a chat template but "
                + (raw ? "--raw turns it off" : "the model folder has none")
                + "; pass the prompt as one text");
      }
      return tokenizer.text().encode(String.valueOf(prompt.get(0).content()), true);
    }
    return tokenizer.text().encode(template.render(prompt, true, Map.of()), false);
  }

  private static Set<Integer> endTokens(LoadedInputs inputs) {
    Set<Integer> ids = new HashSet<>(inputs.loaded().endTokenIds());
    inputs.tokenizer().specialTokens().eosId(inputs.tokenizer().text()).ifPresent(ids::add);
    return ids;
  }

  private static Map<String, Object> line(List<Message> prompt, String completion) {
    Map<String, Object> line = new LinkedHashMap<>();
    line.put(
        "prompt",
        prompt.size() == 1
            ? String.valueOf(prompt.get(0).content())
            : prompt.stream().map(Message::fields).toList());
    line.put("completion", completion);
    return line;
  }

  /**
   * A .jsonl file has {@code prompt}, a text or messages, in each row; any other one prompt a line.
   * The standard input has no name and is taken for JSON Lines when it begins with a brace.
   */
  private static List<Prompt> read(Path file, boolean standardInput) {
    List<Prompt> prompts = new ArrayList<>();
    try {
      List<String> lines =
          standardInput
              ? StandardCharsets.UTF_8
                  .newDecoder()
                  .decode(ByteBuffer.wrap(System.in.readAllBytes()))
                  .toString()
                  .lines()
                  .toList()
              : Files.readAllLines(file, StandardCharsets.UTF_8);
      boolean json =
          standardInput
              ? lines.stream().findFirst().filter(line -> line.startsWith("{")).isPresent()
              : file.getFileName().toString().endsWith(".jsonl");
      for (int i = 0; i < lines.size(); i++) {
        if (!lines.get(i).isBlank()) {
          String place = "[" + file + ":" + (i + 1) + "] ";
          prompts.add(
              new Prompt(
                  place,
                  json
                      ? messages(place, lines.get(i))
                      : List.of(Message.of("user", lines.get(i)))));
        }
      }
    } catch (CharacterCodingException e) {
      throw new DpoException("[" + file + "] must be text in UTF-8 but is not; convert it", e);
    } catch (IOException e) {
      throw new DpoException("[" + file + "] cannot be read: " + FileTrees.reason(e), e);
    }
    if (prompts.isEmpty()) {
      throw new DpoException(
          "[" + file + "] must hold at least one prompt but holds none; write one a line");
    }
    return prompts;
  }

  private static List<Message> messages(String place, String line) {
    try {
      JsonNode prompt = JSON.readTree(line).path("prompt");
      if (prompt.isString()) {
        return List.of(Message.of("user", prompt.asString()));
      }
      if (prompt.isArray() && !prompt.isEmpty()) {
        List<Message> messages = new ArrayList<>();
        for (JsonNode message : prompt) {
          if (!message.path("role").isString() || !message.path("content").isString()) {
            throw new DpoException(
                place + "a message must have a text as role and as content but was " + message);
          }
          messages.add(
              Message.of(message.get("role").stringValue(), message.get("content").stringValue()));
        }
        return messages;
      }
      throw new DpoException(
          place
              + "\"prompt\" must be a text or a list of messages but was "
              + prompt.getNodeType());
    } catch (JacksonException e) {
      throw new DpoException(place + "must be JSON but was not: " + JsonFault.words(e), e);
    }
  }
}
