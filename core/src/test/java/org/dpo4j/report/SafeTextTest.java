package org.dpo4j.report;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.Random;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import tools.jackson.databind.json.JsonMapper;

/** Closes: text of a file that moves the cursor, swaps letters, hides, or becomes mark-up. */
class SafeTextTest {
  private static final JsonMapper JSON = new JsonMapper();

  @ParameterizedTest
  @ValueSource(
      strings = {
        "plain text, 100 % of it\n\tin lines\r\n",
        "Größe, 漢字, العربية, हिन्दी, ไทย",
        "می\u200cخواهم", // Persian is written with non-joiners
        "क\u094d\u200dष", // and Hindi with joiners
        "\ud83d\udc69\u200d\ud83d\udcbb and \u2764\ufe0f", // and emoji
        "e\u0301 \ud83d\ude00 \u06dd",
      })
  void ordinaryTextOfAllScriptsIsAsItWas(String text) {
    assertThat(SafeText.text(text)).isEqualTo(text);
  }

  @ParameterizedTest
  @CsvSource({
    "001b", "0000", "0007", "0008", "000d", "007f", "0085", "009b", "00ad", "034f", "061c", "115f",
    "180e", "200b", "200c", "200d", "200e", "200f", "2028", "2029", "202a", "202b", "202c", "202d",
    "202e", "2060", "2061", "2066", "2067", "2068", "2069", "206a", "3164", "d800", "dfff", "fdd0",
    "feff", "fff9", "ffff"
  })
  void whatControlsOrHidesBecomesAnEscape(String hex) {
    String unit = String.valueOf((char) Integer.parseInt(hex, 16));
    assertThat(SafeText.text("a" + unit + "b")).isEqualTo("a\\u" + hex + "b");
    assertThat(SafeText.line("a" + unit + "b").chars()).allMatch(c -> c >= ' ' && c <= '~');
    assertThat(SafeText.markdown("a" + unit + "b").chars()).allMatch(c -> c >= ' ' && c <= '~');
    assertThat(SafeText.xml("a" + unit + "b").chars()).allMatch(c -> c >= ' ' && c <= '~');
  }

  @Test
  void charactersBeyondSixteenBitsAreWrittenAsJsonWritesThem() {
    assertThat(SafeText.text("\udb40\udc41")).isEqualTo("\\udb40\\udc41"); // a tag
    assertThat(SafeText.text("\ud83f\udfff")).isEqualTo("\\ud83f\\udfff"); // no character
  }

  @Test
  void aJoinerBetweenLatinLettersOrAloneIsShown() {
    assertThat(SafeText.text("pass\u200dword")).isEqualTo("pass\\u200dword");
    assertThat(SafeText.text("\u200d")).isEqualTo("\\u200d");
    assertThat(SafeText.text("م\u200d\u200dم")).isEqualTo("م\\u200d\\u200dم");
  }

  @Test
  void jsonKeepsItsMeaning() {
    Random random = new Random(16);
    for (int i = 0; i < 2000; i++) {
      String value =
          random
              .ints(20, 0, i % 2 == 0 ? 0x110000 : 0x2070)
              .mapToObj(Character::toString)
              .collect(Collectors.joining());
      String json = SafeText.text(JSON.writeValueAsString(value));
      assertThat(JSON.readValue(json, String.class)).isEqualTo(value);
      assertThat(SafeText.text(json)).isEqualTo(json);
    }
  }

  @Test
  void aLineStaysOneLine() {
    assertThat(SafeText.line("a\nerror: b\r\nc\rd")).isEqualTo("a\\nerror: b\\r\\nc\\rd");
  }

  @ParameterizedTest
  @CsvSource({
    "<b>,\\<b\\>",
    "[a](b),\\[a\\](b)",
    "- x,\\- x",
    "12. x,12\\. x",
    "http://evil.example,http\\://evil.example",
    "www.evil.example,www\\.evil.example",
    "a snake_case,a snake_case",
    "&lt;,\\&lt;"
  })
  void markdownIsShownAsItIs(String raw, String expected) {
    assertThat(SafeText.markdown(raw)).isEqualTo(expected);
  }

  @Test
  void everyWayToPrintOnAStreamIsSafe() {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    PrintStream safe = SafePrintStream.on(new PrintStream(bytes, true, StandardCharsets.UTF_8));
    safe.print("a\u001b\n");
    safe.println("b\nc\u202e");
    safe.print('\u009b');
    safe.println((Object) "d\u001b");
    safe.printf("%s%n", "e\u001b");
    safe.append("f\u001b").append('\u001b').println();
    safe.println(new char[] {'g', '\u001b'});
    for (byte b : "hä\u202e\ud83d\ude00\n".getBytes(StandardCharsets.UTF_8)) {
      safe.write(b);
    }
    safe.flush();
    assertThat(bytes.toString(StandardCharsets.UTF_8).replace(System.lineSeparator(), "\n"))
        .isEqualTo(
            """
            a\\u001b
            b\\nc\\u202e
            \\u009bd\\u001b
            e\\u001b
            f\\u001b\\u001b
            g\\u001b
            hä\\u202e\ud83d\ude00
            """);
  }

  @Test
  void theStreamBelowKeepsItsCharacterSet() {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    PrintStream latin = new PrintStream(bytes, true, StandardCharsets.ISO_8859_1);
    SafePrintStream.on(latin).print("ä");
    SafePrintStream.on(latin).append('ö').flush();
    assertThat(bytes.toString(StandardCharsets.ISO_8859_1)).isEqualTo("äö");
  }
}
