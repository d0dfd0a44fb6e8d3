package org.dpo4j.gguf;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.dpo4j.DpoException;
import org.dpo4j.Message;
import org.dpo4j.tokenizer.ChatRenderer;
import org.jspecify.annotations.Nullable;

/**
 * A chat template in the form that Ollama has: what stands before and after each text. It is found
 * by rendering conversations, and kept only if it renders them as the chat template does.
 *
 * @param beforeSystem of the first turn, if it has a system message
 * @param afterSystem up to the user's text
 * @param beforeUser in a turn without a system message
 * @param afterUser up to the answer
 * @param afterAnswer up to the next turn
 * @param system the system message of conversations without one; null for none
 */
record OllamaTemplate(
    @Nullable String beforeSystem,
    String afterSystem,
    String beforeUser,
    String afterUser,
    String afterAnswer,
    @Nullable String system) {

  private static final String SYSTEM = "zqsystemqz";
  private static final String[] USER = {"zquseraqz", "zquserbqz", "zqusercqz"};
  private static final String[] ANSWER = {"zqansweraqz", "zqanswerbqz"};

  /**
   * Finds the form of a chat template.
   *
   * @param bos the text of BOS, which Ollama puts before a prompt itself; empty for none
   * @return empty if the template has no such form
   */
  static Optional<OllamaTemplate> of(ChatRenderer template, String bos) {
    String plain = render(template, bos, null, 1);
    String turns = render(template, bos, null, 2);
    if (plain == null || turns == null) {
      return Optional.empty();
    }
    @Nullable String withSystem = render(template, bos, SYSTEM, 1);
    String beforeFirst = before(plain, USER[0]);
    String afterUser = after(plain, USER[0]);
    String between = between(turns, ANSWER[0], USER[1]);
    if (beforeFirst == null || afterUser == null || between == null) {
      return Optional.empty();
    }
    @Nullable String beforeSystem = withSystem == null ? null : before(withSystem, SYSTEM);
    @Nullable String afterSystem = withSystem == null ? null : between(withSystem, SYSTEM, USER[0]);
    // A turn begins as after a system message, or, where that is part of the first user's turn, as
    // the first one.
    String usual = afterSystem == null ? beforeFirst : afterSystem;
    for (String beforeUser :
        List.of(
            commonEnd(commonEnd(between, usual), beforeFirst), commonEnd(between, beforeFirst))) {
      String afterAnswer = between.substring(0, between.length() - beforeUser.length());
      @Nullable String system = null;
      if (!beforeFirst.equals(beforeUser)) {
        // The template has a system message of its own, or puts something before the first turn.
        if (beforeSystem == null
            || afterSystem == null
            || beforeFirst.length() < beforeSystem.length() + afterSystem.length()
            || !beforeFirst.startsWith(beforeSystem)
            || !beforeFirst.endsWith(afterSystem)) {
          continue;
        }
        system =
            beforeFirst.substring(
                beforeSystem.length(), beforeFirst.length() - afterSystem.length());
      }
      OllamaTemplate found =
          new OllamaTemplate(
              afterSystem == null ? null : beforeSystem,
              afterSystem == null ? "" : afterSystem,
              beforeUser,
              afterUser,
              afterAnswer,
              system);
      if (found.rendersAs(template, bos)) {
        return Optional.of(found);
      }
    }
    return Optional.empty();
  }

  private boolean rendersAs(ChatRenderer template, String bos) {
    for (int turns = 1; turns <= USER.length; turns++) {
      if (!rendered(null, turns).equals(render(template, bos, null, turns))
          || (beforeSystem != null
              && !rendered(SYSTEM, turns).equals(render(template, bos, SYSTEM, turns)))) {
        return false;
      }
    }
    return true;
  }

  /** What Ollama makes of a conversation that ends with a user's text. */
  private String rendered(@Nullable String given, int turns) {
    StringBuilder text = new StringBuilder();
    @Nullable String first = given == null ? system : given;
    for (int i = 0; i < turns; i++) {
      if (i == 0 && first != null && !first.isEmpty()) {
        text.append(beforeSystem).append(first).append(afterSystem);
      } else {
        text.append(beforeUser);
      }
      text.append(USER[i]).append(afterUser);
      if (i < turns - 1) {
        text.append(ANSWER[i]).append(afterAnswer);
      }
    }
    return text.toString();
  }

  /** A conversation as the chat template renders it, without BOS; null if it refuses. */
  private static @Nullable String render(
      ChatRenderer template, String bos, @Nullable String system, int turns) {
    List<Message> messages = new ArrayList<>();
    if (system != null) {
      messages.add(Message.of("system", system));
    }
    for (int i = 0; i < turns; i++) {
      messages.add(Message.of("user", USER[i]));
      if (i < turns - 1) {
        messages.add(Message.of("assistant", ANSWER[i]));
      }
    }
    try {
      String text = template.render(messages, true, Map.of());
      return !bos.isEmpty() && text.startsWith(bos) ? text.substring(bos.length()) : text;
    } catch (DpoException e) {
      return null; // the template has no such conversations
    }
  }

  private static @Nullable String before(String text, String mark) {
    int at = text.indexOf(mark);
    return at < 0 ? null : text.substring(0, at);
  }

  private static @Nullable String after(String text, String mark) {
    int at = text.indexOf(mark);
    return at < 0 ? null : text.substring(at + mark.length());
  }

  private static @Nullable String between(String text, String first, String second) {
    String rest = after(text, first);
    return rest == null ? null : before(rest, second);
  }

  private static String commonEnd(String a, String b) {
    int count = 0;
    while (count < Math.min(a.length(), b.length())
        && a.charAt(a.length() - 1 - count) == b.charAt(b.length() - 1 - count)) {
      count++;
    }
    return a.substring(a.length() - count);
  }

  /** In the language of Go's templates. */
  String text() {
    String user =
        beforeSystem == null
            ? quoted(beforeUser)
            : "{{ if .System }}"
                + quoted(beforeSystem)
                + "{{ .System }}"
                + quoted(afterSystem)
                + "{{ else }}"
                + quoted(beforeUser)
                + "{{ end }}";
    return user + "{{ .Prompt }}" + quoted(afterUser) + "{{ .Response }}" + quoted(afterAnswer);
  }

  private static String quoted(String text) {
    return text.replace("{{", "{{ \"{{\" }}");
  }
}
