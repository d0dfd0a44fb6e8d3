package org.dpo4j.data;

import java.util.List;
import org.dpo4j.Message;
import org.jspecify.annotations.Nullable;

/** What the columns of a row say, whatever they are called, before it becomes pairs. */
sealed interface RowContent {

  /**
   * The rejected completions of a row.
   *
   * @param listed whether the row had a list of them, be it of one
   */
  record Rejected<T>(List<T> completions, boolean listed) {}

  /** A null prompt is the common beginning of both sides. */
  record Text(@Nullable String prompt, String chosen, Rejected<String> rejected)
      implements RowContent {}

  /**
   * A null prompt is the turns with which both sides begin.
   *
   * @param repeated what one turn of such a prompt must say, or null
   */
  record Chat(
      @Nullable List<Message> prompt,
      @Nullable String repeated,
      List<Message> chosen,
      Rejected<List<Message>> rejected)
      implements RowContent {}

  record Ids(List<Integer> prompt, List<Integer> chosen, List<Integer> rejected)
      implements RowContent {}
}
