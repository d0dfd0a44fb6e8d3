package org.dpo4j.data;

import java.util.ArrayList;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.dpo4j.Message;
import org.jspecify.annotations.Nullable;

/**
 * A dialogue written as one text, as in Anthropic's hh-rlhf: turns that begin with {@code
 * "\n\nHuman: "} or {@code "\n\nAssistant: "}. The text between two of these is kept exactly.
 */
final class HhTranscript {
  private static final String HUMAN = "\n\nHuman:";
  // Rows whose last turn is empty lack the space after the last colon.
  private static final Pattern SPEAKER = Pattern.compile("\n\n(Human|Assistant):(?: |$)");

  private HhTranscript() {}

  static boolean is(@Nullable Object text) {
    return text instanceof String transcript
        && transcript.startsWith(HUMAN)
        && transcript.contains("\n\nAssistant:");
  }

  static List<Message> turns(RowFields row, String field, String transcript) {
    List<Message> turns = new ArrayList<>();
    Matcher speaker = SPEAKER.matcher(transcript);
    boolean more = speaker.find();
    if (!more || speaker.start() > 0 || !speaker.group(1).equals("Human")) {
      throw row.bad(
          "no transcript in \"" + field + "\"",
          "a transcript begins with two line breaks and \"Human: \"; the row may be plain text");
    }
    while (more) {
      String role = speaker.group(1).equals("Human") ? "user" : "assistant";
      int start = speaker.end();
      more = speaker.find();
      int end = more ? speaker.start() : transcript.length();
      turns.add(Message.of(role, transcript.substring(start, end)));
    }
    Message last = turns.get(turns.size() - 1);
    if (!last.role().equals("assistant")) {
      throw row.bad(
          "transcript that ends in the human's turn in \"" + field + "\"",
          "its last turn must be the assistant's; complete it or remove the row");
    }
    if ("".equals(last.content())) {
      throw row.bad("empty " + field, "the assistant's last turn says nothing; remove the row");
    }
    return turns;
  }
}
