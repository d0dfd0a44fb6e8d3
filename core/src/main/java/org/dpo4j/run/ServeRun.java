package org.dpo4j.run;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermission;
import java.time.Duration;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.function.Consumer;
import org.dpo4j.OptionText;
import org.dpo4j.UsageException;
import org.dpo4j.config.Devices;
import org.dpo4j.config.ServeConfig;
import org.dpo4j.report.RunOutput;
import org.dpo4j.serve.Server;
import org.dpo4j.torch.Engine;

/** Answers requests in the form of OpenAI's API until the process is stopped. */
public final class ServeRun {

  /** A key that can be guessed is none. */
  private static final int SHORTEST_KEY = 16;

  private static final int LONGEST_KEY = 4096;

  /** After a signal, answers that run have so long to end. */
  private static final Duration PATIENCE = Duration.ofSeconds(10);

  private ServeRun() {}

  /**
   * Serves a model.
   *
   * @throws UsageException if the port is taken, or a key is missing or short
   */
  public static void run(ServeConfig config, RunOutput output) {
    run(config, System.getenv(), output, Server::await);
  }

  /**
   * As above with another environment, until {@code use} returns.
   *
   * @param use gets the server once it listens
   */
  static void run(
      ServeConfig config, Map<String, String> environment, RunOutput output, Consumer<Server> use) {
    config.checkInputs();
    config.apiKeyFile().ifPresent(file -> warnOfReaders(file, output));
    Server.Settings settings =
        new Server.Settings(
            config.host(),
            config.port(),
            key(config, environment),
            config.maxConcurrent(),
            config.queue(),
            config.maxLength(),
            config.threads());
    try (Engine.Threads threads = Engine.use(config.threads());
        ModelBundle inputs =
            ModelBundle.open(
                config.model(),
                config.adapter(),
                config.template().replacing(),
                Devices.of(config.device()),
                output);
        Server server =
            Server.start(
                new Server.Model(
                    config.name(), inputs.model(), inputs.endTokens(), inputs.tokenizer()),
                settings,
                output::warn);
        InterruptedOutput interruption = InterruptedOutput.watch(output, () -> stop(server))) {
      PromptIds.noteUnread(inputs, output);
      describe(config, inputs, server, output);
      use.accept(server);
    }
  }

  private static String stop(Server server) {
    server.close(PATIENCE);
    return "stopped: no request is answered any more";
  }

  private static void describe(
      ServeConfig config, ModelBundle inputs, Server server, RunOutput output) {
    output
        .out()
        .println(
            "serving %s on %s: %d answers at a time, up to %d tokens of prompt and answer"
                .formatted(
                    config.name(), server.url(), config.maxConcurrent(), server.positions()));
    if (inputs.tokenizer().template() == null) {
      output.note(
          "the model has no chat template, so /v1/chat/completions is refused; /v1/completions"
              + " continues texts");
    }
    output
        .out()
        .println(
            "for trying out and small services, without encryption; for load, serve the folder with"
                + " vLLM, or a GGUF file of it with llama.cpp");
    output.out().println("Ctrl-C stops");
    output.out().flush();
  }

  private static Optional<String> key(ServeConfig config, Map<String, String> environment) {
    Optional<String> variable = Optional.ofNullable(environment.get(Server.KEY_VARIABLE));
    if (config.apiKeyFile().isEmpty() && variable.isEmpty()) {
      return Optional.empty();
    }
    String key = config.apiKeyFile().map(file -> read(config)).or(() -> variable).orElseThrow();
    boolean usable =
        key.length() >= SHORTEST_KEY && key.length() <= LONGEST_KEY && key.matches("[!-~]+");
    if (!usable) {
      throw new UsageException(
          config.apiKeyFile().isPresent()
              ? OptionText.of(
                  "{api_key_file} %s must hold one key of %d or more visible ASCII characters",
                  config.apiKeyFile().get(), SHORTEST_KEY)
              : "the environment variable %s must be a key of %d or more visible ASCII characters"
                  .formatted(Server.KEY_VARIABLE, SHORTEST_KEY));
    }
    return Optional.of(key);
  }

  private static void warnOfReaders(Path file, RunOutput output) {
    try {
      Set<PosixFilePermission> permissions = Files.getPosixFilePermissions(file);
      if (permissions.contains(PosixFilePermission.GROUP_READ)
          || permissions.contains(PosixFilePermission.OTHERS_READ)) {
        output.warn(
            OptionText.of(
                "{api_key_file} %s can be read by other users of this machine; run chmod 600 on it",
                file));
      }
    } catch (UnsupportedOperationException | IOException e) {
      return; // no such permissions there; whether it can be read is checked later
    }
  }

  private static String read(ServeConfig config) {
    try (var in = Files.newInputStream(config.apiKeyFile().orElseThrow())) {
      return new String(in.readNBytes(LONGEST_KEY + 1), StandardCharsets.ISO_8859_1).strip();
    } catch (IOException e) {
      throw new UsageException(
          "api_key_file", "must be readable", "was not: " + e.getMessage(), "check its rights");
    }
  }
}
