package org.dpo4j.data;

import java.util.List;
import org.dpo4j.Message;
import org.jspecify.annotations.Nullable;

/** The content of a row independent of its column names, before it becomes examples. */
sealed interface RowContent {

  /**
   * The rejected completions of a row.
   *
   * @param listed whether the row had a list, even of one
   */
  record Rejected<T>(List<T> completions, boolean listed) {}

  /** Text. A null prompt means the common beginning of both sides. */
  record Text(@Nullable String prompt, String chosen, Rejected<String> rejected)
      implements RowContent {}

  /**
   * A conversation. A null prompt means the turns that both sides begin with.
   *
   * @param repeated the text that one user turn of such a prompt must have, or null
   */
  record Chat(
      @Nullable List<Message> prompt,
      @Nullable String repeated,
      List<Message> chosen,
      Rejected<List<Message>> rejected)
      implements RowContent {}

  record Ids(List<Integer> prompt, List<Integer> chosen, List<Integer> rejected)
      implements RowContent {}

  /** Text with one completion. */
  record TextCompletion(String prompt, String completion) implements RowContent {}

  /** A conversation with one completion; without a prompt, the completion is all of it. */
  record ChatCompletion(List<Message> prompt, List<Message> completion) implements RowContent {}

  /** Token ids with one completion. */
  record IdsCompletion(List<Integer> prompt, List<Integer> completion) implements RowContent {}
}
