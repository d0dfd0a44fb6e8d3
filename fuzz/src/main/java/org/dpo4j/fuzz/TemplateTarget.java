package org.dpo4j.fuzz;

import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Map;
import org.dpo4j.Message;
import org.dpo4j.tokenizer.ChatTemplate;

/** A chat template, parsed and rendered. */
public final class TemplateTarget {
  private static final List<Message> MESSAGES =
      List.of(Message.system("Be kind."), Message.user("Hi {{ x }}"), Message.assistant("Hello"));

  private TemplateTarget() {}

  /** Reads one input; whether it was accepted. */
  public static boolean fuzz(byte[] input) throws Exception {
    String source = new String(input, StandardCharsets.UTF_8);
    return Refusal.orResult(
        () ->
            ChatTemplate.parse(source, "chat_template.jinja")
                .render(MESSAGES, true, Map.of("bos_token", "<s>", "eos_token", "</s>")));
  }

  /** What Jazzer calls. */
  public static void fuzzerTestOneInput(byte[] input) throws Exception {
    fuzz(input);
  }
}
