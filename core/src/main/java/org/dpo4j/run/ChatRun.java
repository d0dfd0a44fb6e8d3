package org.dpo4j.run;

import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.function.Consumer;
import org.dpo4j.DpoException;
import org.dpo4j.Message;
import org.dpo4j.OptionText;
import org.dpo4j.UsageException;
import org.dpo4j.config.ChatConfig;
import org.dpo4j.config.Devices;
import org.dpo4j.generate.Generator;
import org.dpo4j.options.OptionType;
import org.dpo4j.options.Suggestion;
import org.dpo4j.report.RunOutput;
import org.dpo4j.report.SafeText;
import org.dpo4j.tokenizer.IncrementalDecoder;
import org.dpo4j.torch.ComputeDevice;
import org.dpo4j.torch.Engine;
import org.jspecify.annotations.Nullable;

/** A conversation with a model, or with two of them. */
public final class ChatRun {

  /** Who talks with the model. */
  public interface Person {

    /**
     * Waits for a line.
     *
     * @param prompt shown before it on a terminal
     * @return null at the end of the input
     */
    @Nullable String line(String prompt) throws IOException;

    /** The columns of the terminal; 0 if answers go into a file or pipe. */
    int width();

    /** Called before an answer. From now until {@link #answered}, the person may stop it. */
    void answering();

    /** Whether the person has stopped the answer. */
    boolean stopped();

    /** Called after an answer. */
    void answered();
  }

  /** From this width on, two answers stand beside each other. */
  private static final int WIDE = 100;

  private static final String PROMPT = "> ";

  /** What {@code /params} shows and sets. */
  private static final List<String> PARAMETERS =
      List.of(
          "max_new_tokens", "temperature", "top_p", "top_k", "min_p", "repetition_penalty", "seed");

  private static final List<String> HELP =
      List.of(
          "/reset            begins a new conversation",
          "/system TEXT      sets the system prompt; without a text, removes it",
          "/params           shows how answers are sampled; /params temperature=0 top_p=0.9 sets it",
          "/help             shows this",
          "/exit             ends the program, as does the end of the input",
          "//TEXT            says /TEXT to the model",
          "Ctrl-C            stops an answer; at the prompt, ends the program");

  /** A model that talks, and what it remembers. */
  private static final class Speaker implements AutoCloseable {
    private final String name;
    private final ModelBundle model;
    private final List<Message> turns = new ArrayList<>(); // without the system prompt

    Speaker(String name, ModelBundle model) {
      this.name = name;
      this.model = model;
    }

    @Override
    public void close() {
      model.close();
    }
  }

  private final Person person;
  private final RunOutput output;
  private final List<Speaker> speakers;
  private ChatConfig config;
  private Optional<String> system;

  private ChatRun(ChatConfig config, Person person, RunOutput output, List<Speaker> speakers) {
    this.config = config;
    this.system = config.system();
    this.person = person;
    this.output = output;
    this.speakers = speakers;
  }

  /**
   * Talks until the person ends the conversation or the input ends.
   *
   * @throws DpoException if a model has no chat template, or the input cannot be read
   */
  public static void run(ChatConfig config, Person person, RunOutput output) {
    config.checkInputs();
    List<Speaker> speakers = new ArrayList<>();
    try (Engine.Threads threads = Engine.use(config.threads())) {
      open(config, output, speakers);
      new ChatRun(config, person, output, speakers).talk();
    } finally {
      speakers.forEach(Speaker::close);
    }
  }

  private static void open(ChatConfig config, RunOutput output, List<Speaker> speakers) {
    ComputeDevice device = Devices.of(config.device());
    if (config.compareWith().isPresent()) {
      Path other = config.compareWith().get();
      boolean adapter = config.comparesAdapters();
      Path folder = adapter ? config.model() : other;
      speakers.add(
          new Speaker(
              other.toString(),
              ModelBundle.open(
                  folder,
                  adapter ? Optional.of(other) : Optional.empty(),
                  config.template().replacing(),
                  device,
                  output)));
    }
    speakers.add(
        new Speaker(
            config.adapter().orElse(config.model()).toString(),
            ModelBundle.open(
                config.model(), config.adapter(), config.template().replacing(), device, output)));
    for (Speaker speaker : speakers) {
      PromptIds.noteUnread(speaker.model, output);
      if (speaker.model.tokenizer().template() == null) {
        throw new DpoException(
            OptionText.of(
                "a conversation needs a chat template but %s has none; pass {chat_template} FILE, or"
                    + " continue texts with the command generate",
                speaker.name));
      }
    }
  }

  private void talk() {
    if (person.width() > 0) {
      output.out().println("/help shows the commands");
    }
    while (true) {
      String line = line();
      if (line == null || line.strip().equals("/exit") || line.strip().equals("/quit")) {
        return;
      }
      if (line.startsWith("//")) {
        answer(line.substring(1));
      } else if (line.startsWith("/")) {
        command(line.strip());
      } else if (!line.isBlank()) {
        answer(line);
      }
    }
  }

  private @Nullable String line() {
    try {
      return person.line(PROMPT);
    } catch (IOException e) {
      throw new DpoException("the input cannot be read: " + e.getMessage(), e);
    }
  }

  private void command(String line) {
    String[] words = line.split("\\s+", 2);
    String rest = words.length > 1 ? words[1] : "";
    switch (words[0]) {
      case "/reset" -> {
        speakers.forEach(speaker -> speaker.turns.clear());
        say("a new conversation begins");
      }
      case "/system" -> {
        system = Optional.of(rest).filter(text -> !text.isEmpty());
        say(system.isPresent() ? "the system prompt is set" : "there is no system prompt");
      }
      case "/params" -> parameters(rest);
      case "/help" -> HELP.forEach(this::say);
      default ->
          say(
              "%s is no command%s; /help shows them, and //TEXT says /TEXT to the model"
                  .formatted(
                      words[0],
                      Suggestion.nearest(
                              words[0], List.of("/reset", "/system", "/params", "/help", "/exit"))
                          .map("; did you mean %s?"::formatted)
                          .orElse("")));
    }
  }

  /** What the program says, and not the model. */
  private void say(String text) {
    output.err().println(text);
  }

  private void parameters(String text) {
    Map<String, Object> values = new HashMap<>(ChatConfig.OPTIONS.write(config));
    for (String each : text.isBlank() ? new String[0] : text.strip().split("\\s+")) {
      String[] pair = each.split("=", 2);
      if (pair.length < 2 || !PARAMETERS.contains(pair[0])) {
        say(
            "\"%s\" must be NAME=VALUE, with a NAME of %s; nothing was changed"
                .formatted(each, String.join(", ", PARAMETERS)));
        return;
      }
      values.put(pair[0], pair[1]);
    }
    try {
      config = ChatConfig.OPTIONS.build(values);
    } catch (UsageException e) {
      say(e.getMessage() + "; nothing was changed");
      return;
    }
    Map<String, Object> now = ChatConfig.OPTIONS.write(config);
    say(
        PARAMETERS.stream()
            .map(name -> name + "=" + OptionType.text(Objects.requireNonNull(now.get(name))))
            .reduce((a, b) -> a + " " + b)
            .orElseThrow());
  }

  private void answer(String text) {
    List<int[]> prompts = new ArrayList<>();
    for (Speaker speaker : speakers) {
      Optional<int[]> prompt = prompt(speaker, text);
      if (prompt.isEmpty()) {
        return; // no speaker has heard it
      }
      prompts.add(prompt.get());
    }
    boolean beside = speakers.size() > 1 && person.width() >= WIDE;
    List<String> answers = new ArrayList<>();
    List<String> notes = new ArrayList<>();
    for (int i = 0; i < speakers.size(); i++) {
      Speaker speaker = speakers.get(i);
      if (speakers.size() > 1 && !beside) {
        output.out().println("[" + speaker.name + "]");
      }
      String answer =
          answer(speaker, prompts.get(i), beside ? piece -> {} : output.out()::print, notes);
      answers.add(answer);
      speaker.turns.add(Message.user(text));
      speaker.turns.add(Message.assistant(answer));
      if (!beside) {
        output.out().println();
        output.out().flush();
      }
    }
    if (beside) {
      // An escape is longer than what it stands for, so escapes come before the columns.
      Columns.of(
              SafeText.text("[%s]\n%s".formatted(speakers.get(0).name, answers.get(0))),
              SafeText.text("[%s]\n%s".formatted(speakers.get(1).name, answers.get(1))),
              person.width() - 1)
          .forEach(output.out()::println);
      output.out().flush();
    }
    notes.stream().distinct().forEach(this::say);
  }

  /** The ids of a conversation; empty, with a message, if the model cannot answer it. */
  private Optional<int[]> prompt(Speaker speaker, String text) {
    List<Message> all = new ArrayList<>();
    system.map(Message::system).ifPresent(all::add);
    all.addAll(speaker.turns);
    all.add(Message.user(text));
    Generator generator = generator(speaker);
    try {
      int[] ids = PromptIds.of("", all, speaker.model.tokenizer(), false, generator);
      return Optional.of(ids);
    } catch (DpoException e) {
      say(
          "not answered: %s%s"
              .formatted(
                  e.getMessage(),
                  speaker.turns.isEmpty()
                      ? ""
                      : "; the prompt is the whole conversation, and /reset begins a new one"));
      return Optional.empty();
    }
  }

  private Generator generator(Speaker speaker) {
    return new Generator(
        speaker.model.model(), speaker.model.endTokens(), config.tokens(), config.seed());
  }

  private String answer(
      Speaker speaker, int[] prompt, Consumer<String> pieces, List<String> notes) {
    IncrementalDecoder text = new IncrementalDecoder(speaker.model.tokenizer().text());
    StringBuilder answer = new StringBuilder();
    boolean[] stopped = {false};
    Generator.Completion tokens;
    person.answering();
    try {
      tokens =
          generator(speaker)
              .generate(
                  prompt,
                  config.maxNewTokens(),
                  id -> {
                    add(text.add(id), answer, pieces);
                    stopped[0] = person.stopped();
                    return !stopped[0];
                  });
    } finally {
      person.answered();
    }
    add(text.finish(), answer, pieces);
    if (stopped[0]) {
      notes.add("the answer was stopped");
    } else if (!tokens.ended()) {
      int context = speaker.model.model().maxPositions();
      notes.add(
          prompt.length + tokens.count() >= context
              ? "the answer was cut: the model's context of %d tokens is full; /reset begins a new conversation"
                  .formatted(context)
              : "the answer was cut at %d tokens; /params max_new_tokens=%d allows more"
                  .formatted(config.maxNewTokens(), 2L * config.maxNewTokens()));
    }
    return answer.toString();
  }

  private static void add(String piece, StringBuilder answer, Consumer<String> pieces) {
    if (!piece.isEmpty()) {
      answer.append(piece);
      pieces.accept(piece);
    }
  }
}
