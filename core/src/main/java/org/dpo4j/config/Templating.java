package org.dpo4j.config;

import java.nio.file.Path;
import java.util.Map;
import java.util.Optional;
import org.dpo4j.OptionText;
import org.dpo4j.UsageException;
import org.dpo4j.data.TemplateColumns;
import org.dpo4j.options.Option;
import org.dpo4j.options.ReadableFile;
import org.dpo4j.tokenizer.TextReplacement;
import org.dpo4j.tokenizer.TokenizerSource;
import org.jspecify.annotations.Nullable;

/** The chat template with what it gets besides the messages, and the tokenizer. */
public record Templating(
    @Option(
            help = "Jinja file with the chat template (default: the model's)",
            aliases = "chat_template_path")
        Optional<Path> chatTemplate,
    @Option(help = "variables of the chat template, as {\"enable_thinking\": false}")
        Optional<Map<String, @Nullable Object>> chatTemplateKwargs,
    @Option(value = "file", help = "tokenizer.json itself or as in TRL")
        TokenizerSource tokenizerSource) {

  public Templating {
    chatTemplateKwargs = chatTemplateKwargs.filter(variables -> !variables.isEmpty());
    chatTemplateKwargs
        .flatMap(variables -> TemplateColumns.reserved(variables.keySet()))
        .ifPresent(
            name -> {
              throw new UsageException(
                  "chat_template_kwargs",
                  "must not have %s, which the run sets itself".formatted(name),
                  "",
                  "leave it out");
            });
  }

  /** Checks that the file exists; throws UsageException if it does not. */
  void checkInputs() {
    chatTemplate.ifPresent(file -> ReadableFile.require("chat_template", file));
  }

  /**
   * Refuses a template and its variables where prompts are used as they are.
   *
   * @param raw whether they are
   */
  void requireUsed(boolean raw) {
    if (raw && (chatTemplate.isPresent() || chatTemplateKwargs.isPresent())) {
      throw new UsageException(
          "raw",
          OptionText.of(
              "and {%s} exclude each other",
              chatTemplate.isPresent() ? "chat_template" : "chat_template_kwargs"),
          "prompts that are used as they are get no template",
          "pass one of them");
    }
  }

  /**
   * What is used in place of a model folder's tokenizer and template.
   *
   * @throws org.dpo4j.DpoException if the file is no template
   */
  public TextReplacement replacing() {
    return replacing(TextReplacement.NONE);
  }

  /**
   * The same besides what a program replaces.
   *
   * @throws UsageException if both replace the same part
   */
  public TextReplacement replacing(TextReplacement program) {
    if (chatTemplate.isPresent() && program.template() != null) {
      throw new UsageException(
          "chat_template",
          OptionText.of("and a template of the program both replace that of the model"),
          "",
          "pass one of them");
    }
    if (tokenizerSource != TokenizerSource.FILE && program.text() != null) {
      throw new UsageException(
          "tokenizer_source",
          OptionText.of("and a tokenizer of the program both replace that of the model"),
          "",
          "pass one of them");
    }
    TextReplacement replaced = chatTemplate.map(program::withTemplate).orElse(program);
    return replaced
        .withVariables(chatTemplateKwargs.orElse(Map.of()))
        .withTokenizerSource(tokenizerSource);
  }
}
