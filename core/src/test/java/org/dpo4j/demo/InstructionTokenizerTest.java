package org.dpo4j.demo;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import org.junit.jupiter.api.Test;

/** Closes bytes that come out negative and characters that are taken for bytes. */
class InstructionTokenizerTest {
  private final InstructionTokenizer tokenizer = new InstructionTokenizer();

  @Test
  void aPromptIsFramedAndACompletionIsBare() {
    assertThat(tokenizer.encodePrompt("a\u00e9")).containsExactly(256, 97, 0xc3, 0xa9, 257);
    assertThat(tokenizer.encodeCompletion("a\u00e9")).containsExactly(97, 0xc3, 0xa9);
    assertThat(tokenizer.encodePrompt("")).containsExactly(256, 257);
  }

  @Test
  void decodingUndoesEncodingAndShowsTheFrame() {
    String text = "naïve 😀 \0\r\n";
    assertThat(tokenizer.decode(tokenizer.encode(text, true))).isEqualTo(text);
    assertThat(tokenizer.decode(tokenizer.encodePrompt("hi"))).isEqualTo("<INST>hi<RESP>");
    assertThatThrownBy(() -> tokenizer.decode(new int[] {259}))
        .isInstanceOf(IllegalArgumentException.class);
  }
}
