package org.dpo4j.cli;

import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.io.UncheckedIOException;
import java.util.Arrays;
import java.util.Optional;
import org.dpo4j.DpoException;
import org.dpo4j.OptionText;
import org.dpo4j.UsageException;
import org.dpo4j.options.MissingOptionsException;
import org.dpo4j.torch.MemoryFailure;
import picocli.CommandLine;
import picocli.CommandLine.Model.OptionSpec;
import picocli.CommandLine.OverwrittenOptionException;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.UnmatchedArgumentException;

/**
 * Turns an exception into a message and an exit code, with a stack trace on request.
 *
 * @param console receives the message
 * @param debug whether to show the stack trace
 */
record Failure(Console console, boolean debug) {
  static final int FAILED = 1;
  static final int USAGE = 2;

  int print(Throwable failure, String command) {
    String message = message(failure, command);
    String[] lines = message.split("\n", -1);
    console.err().println("error: " + lines[0]);
    Arrays.stream(lines).skip(1).forEach(this::printIndented);
    if (debug) {
      StringWriter trace = new StringWriter();
      failure.printStackTrace(new PrintWriter(trace, true));
      trace.toString().lines().forEach(this::printIndented);
    }
    return failure instanceof UsageException || failure instanceof ParameterException
        ? USAGE
        : FAILED;
  }

  /** A line of a text that may quote data: it must not look like a message of its own. */
  private void printIndented(String line) {
    console.err().println("       " + line);
  }

  private static String message(Throwable failure, String command) {
    if (failure instanceof DpoException known) {
      String text = OptionText.flags(known.text());
      return failure instanceof MissingOptionsException ? text + "\n" + example(command) : text;
    }
    if (failure instanceof UnmatchedArgumentException stray) {
      return stray(stray.getUnmatched().get(0), stray.getCommandLine());
    }
    if (failure instanceof OverwrittenOptionException twice
        && twice.getOverwritten() instanceof OptionSpec option) {
      return option.longestName() + " takes one value but got more; keep one";
    }
    if (failure instanceof ParameterException) {
      return "%s; dpo4j %s--help lists the options"
          .formatted(
              firstLine(failure).replaceAll("\\.$", ""),
              command.startsWith("-") ? "" : command + " ");
    }
    Optional<DpoException> memory = MemoryFailure.of(failure);
    if (memory.isPresent()) {
      return OptionText.flags(memory.get().text());
    }
    if (failure instanceof IOException || failure instanceof UncheckedIOException) {
      return "reading or writing failed: " + firstLine(failure);
    }
    return "internal error: %s: %s; run again with --debug, and please report it"
        .formatted(failure.getClass().getSimpleName(), firstLine(failure));
  }

  /** A word that belongs to no option. */
  private static String stray(String word, CommandLine command) {
    if (word.matches("(?i).*\\.ya?ml") && command.getCommandSpec().findOption("--config") != null) {
      return "\"%s\" belongs to no option; did you mean --config %s?".formatted(word, word);
    }
    return "\"%s\" belongs to no option; a value follows its option's name; quote it if it contains spaces;"
            .formatted(word)
        + " dpo4j %s --help lists the options".formatted(command.getCommandName());
  }

  /** Messages of the native engine continue with a native stack trace. */
  private static String firstLine(Throwable failure) {
    String message = failure.getMessage();
    return message == null ? "no message" : message.lines().findFirst().orElse("no message");
  }

  private static String example(String command) {
    String model = "--model examples/tiny-chat --data_file examples/pairs.jsonl";
    String words =
        switch (command) {
          case "train", "verify-resume" -> command + " " + model + " --output_dir tuned";
          case "doctor", "ledger", "report" -> command + " runs/first";
          case "eval" -> "eval --model runs/first --data_file examples/eval.jsonl";
          case "compare" -> "compare --model runs/first --prompt \"Hello\"";
          case "download" ->
              "download HuggingFaceTB/SmolLM2-135M-Instruct --output_dir models/smollm2-135m";
          case "score" -> "score " + model + " --output scores.jsonl";
          case "merge" -> "merge --model examples/tiny-chat --adapter tuned --output_dir merged";
          case "export" -> "export --model examples/tiny-chat --output tiny-chat.gguf";
          case "sample" ->
              "sample --model examples/tiny-chat --prompts_file examples/eval.jsonl --output answers.jsonl";
          case "pairs" ->
              "pairs --completions_file answers.jsonl --judge length --prefer shorter --output pairs.jsonl";
          case "rounds" ->
              "rounds --model examples/tiny-chat --prompts_file examples/eval.jsonl --judge length --prefer shorter --output_dir tuned";
          case "generate" -> "generate --model examples/tiny-chat --prompt \"Hello\"";
          case "chat", "serve" -> command + " --model examples/tiny-chat";
          default -> command + " " + model;
        };
    String where = words.contains("examples/") ? ", in the folder of dpo4j" : "";
    return "for example%s: ./dpo4j %s".formatted(where, words);
  }
}
