package org.dpo4j.judge;

import java.text.Normalizer;
import java.util.List;
import java.util.Locale;
import java.util.regex.Pattern;
import org.dpo4j.DpoException;
import org.dpo4j.OptionText;
import org.dpo4j.data.SampledPrompt;

/** The answers that a row gives to compare with. */
final class Answers {
  private static final Pattern SPACE = Pattern.compile("(?U)\\s+");
  private static final Pattern AROUND =
      Pattern.compile("(?U)^[\\s\\p{P}\\p{S}&&[^-]]+|[\\s\\p{P}\\p{S}&&[^%]]+$");

  private Answers() {}

  /**
   * The normalized answers in a column.
   *
   * @throws DpoException if the row has no such column, or no text or number in it
   */
  static List<String> of(SampledPrompt prompt, String column) {
    Object value = prompt.columns().get(column);
    List<?> values =
        value instanceof List<?> several ? several : value == null ? List.of() : List.of(value);
    if (values.isEmpty()
        || !values.stream().allMatch(each -> each instanceof String || each instanceof Number)) {
      throw new DpoException(
          prompt.origin()
              + " "
              + OptionText.of(
                  "column \"%s\" must hold the answer, a text, a number or a list of these, but %s; name the column with {answer_column}; sample copies the columns of the prompts' file",
                  column,
                  value == null
                      ? "the row has no such column; it has " + prompt.columns().keySet()
                      : "it holds " + value));
    }
    return values.stream().map(each -> normalized(String.valueOf(each))).toList();
  }

  /** A text without case, and without the space and punctuation that an answer is wrapped in. */
  static String normalized(String text) {
    String plain = Normalizer.normalize(text, Normalizer.Form.NFKC).toLowerCase(Locale.ROOT);
    return SPACE.matcher(AROUND.matcher(plain).replaceAll("")).replaceAll(" ");
  }
}
