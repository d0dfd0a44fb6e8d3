package org.dpo4j.tokenizer;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;

/**
 * Closes: a stop string that is shown in part or missed where tokens cut it, text after it, text
 * that is lost because it began like one, and a result that depends on the tokens.
 */
class StopStringsTest {

  /** Each byte is a token. */
  private static final TextTokenizer BYTES =
      new TextTokenizer() {
        @Override
        public int[] encode(String text, boolean addSpecialTokens) {
          byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
          int[] ids = new int[bytes.length];
          for (int i = 0; i < ids.length; i++) {
            ids[i] = bytes[i] & 0xff;
          }
          return ids;
        }

        @Override
        public String decode(int[] ids) {
          byte[] bytes = new byte[ids.length];
          for (int i = 0; i < ids.length; i++) {
            bytes[i] = (byte) ids[i];
          }
          return new String(bytes, StandardCharsets.UTF_8);
        }
      };

  /** The pieces, the last of which is what {@code finish} gives. */
  private static List<String> pieces(String text, String... stops) {
    IncrementalDecoder completion = new IncrementalDecoder(BYTES, new int[0], List.of(stops));
    List<String> pieces = new ArrayList<>();
    for (int id : BYTES.encode(text, false)) {
      pieces.add(completion.add(id));
      if (completion.stopped()) {
        break;
      }
    }
    pieces.add(completion.finish());
    return pieces;
  }

  private static String text(String text, String... stops) {
    return String.join("", pieces(text, stops));
  }

  @Test
  void withoutAStopStringEachPieceIsPassedOnAtOnce() {
    assertThat(pieces("abc")).containsExactly("a", "b", "c", "");
    assertThat(pieces("é")).containsExactly("", "é", "");
  }

  @Test
  void theTextBeforeAStopStringIsReturned() {
    assertThat(text("one\n\ntwo", "\n\n")).isEqualTo("one");
    assertThat(text("END", "END")).isEmpty();
    assertThat(text("naïve é!", "é")).isEqualTo("naïve ");
  }

  @Test
  void textThatMayBeginAStopStringIsWithheldAndNoLonger() {
    assertThat(pieces("xaab", "aac")).containsExactly("x", "", "", "aab", "");
    assertThat(pieces("xaaab", "aab")).containsExactly("x", "", "", "a", "", "");
    assertThat(pieces("aa", "aab")).containsExactly("", "", "aa");
  }

  /** "bc" is complete one byte before "abcd". */
  @Test
  void theStopStringThatEndsFirstCounts() {
    assertThat(text("xabcd", "abcd", "bc")).isEqualTo("xa");
    assertThat(text("xabcd", "bcd", "abcd")).isEqualTo("x");
  }

  @Test
  void nothingFollowsAStopString() {
    IncrementalDecoder text = new IncrementalDecoder(BYTES, new int[0], List.of("b"));
    assertThat(text.add('a')).isEqualTo("a");
    assertThat(text.add('b')).isEmpty();
    assertThat(text.stopped()).isTrue();
    assertThat(text.add('c')).isEmpty();
    assertThat(text.finish()).isEmpty();
  }

  /** Against a search in the whole text, for 2,000 texts of two letters. */
  @Test
  void theTextIsThatOfASearchInTheWholeText() {
    Random random = new Random(5);
    for (int i = 0; i < 2000; i++) {
      String text = letters(random, 12);
      String[] stops = {letters(random, 1 + random.nextInt(4)), letters(random, 3)};
      String expected = text;
      for (int end = 1; end <= text.length() && expected.equals(text); end++) {
        String before = text.substring(0, end);
        int start = end;
        for (String stop : stops) {
          if (before.endsWith(stop)) {
            start = Math.min(start, end - stop.length());
          }
        }
        expected = start < end ? text.substring(0, start) : text;
      }
      assertThat(text(text, stops)).as("%s before %s", text, List.of(stops)).isEqualTo(expected);
    }
  }

  private static String letters(Random random, int count) {
    return random
        .ints(count, 'a', 'c')
        .collect(StringBuilder::new, StringBuilder::appendCodePoint, StringBuilder::append)
        .toString();
  }

  @Test
  void anEmptyStopStringIsRefused() {
    assertThatThrownBy(() -> new IncrementalDecoder(BYTES, new int[0], List.of("a", "")))
        .isInstanceOf(IllegalArgumentException.class);
  }
}
