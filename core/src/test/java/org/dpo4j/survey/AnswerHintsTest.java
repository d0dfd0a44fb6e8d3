package org.dpo4j.survey;

import static org.assertj.core.api.Assertions.assertThat;

import java.lang.Character.UnicodeScript;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Closes answers that are taken for refusals, and tags of a template that decide on a script. */
class AnswerHintsTest {

  @ParameterizedTest
  @ValueSource(
      strings = {
        "I'm sorry, but I can't help with that.<|im_end|>",
        "I’m sorry, I cannot do that.",
        " I cannot provide instructions for this.",
        "As an AI language model, I have no opinion.",
        "Sorry, I can't.",
        "<think>\nI am unable to say."
      })
  void refusalsAreFound(String answer) {
    assertThat(AnswerHints.refuses(answer)).isTrue();
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "",
        "Sorry is what you say when you regret something.",
        "A cat. It cannot bark.",
        "You can say: I'm sorry for your loss.",
        "First fill the pot with water and bring it to the boil, then lower the eggs into it with a"
            + " spoon. I can't say it more simply."
      })
  void otherAnswersAreNot(String answer) {
    assertThat(AnswerHints.refuses(answer)).isFalse();
  }

  @Test
  void theScriptIsThatOfMostLettersOutsideTags() {
    assertThat(AnswerHints.script("是<|im_end|>")).contains(UnicodeScript.HAN);
    assertThat(AnswerHints.script("Das ist Paris (巴黎).")).contains(UnicodeScript.LATIN);
    assertThat(AnswerHints.script("42 + 1 = 43")).isEmpty();
  }
}
