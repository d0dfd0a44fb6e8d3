package org.dpo4j.jinja;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

/** Closes: a part of the text that counts as the assistant's and is not, or the other way round. */
class GenerationTest {

  private static List<String> generated(String source) {
    Rendering rendering =
        Template.parse(source, "t").renderMarked(Map.of("turns", List.of("a", "bc")), Map.of());
    return rendering.generated().stream()
        .map(span -> rendering.text().substring(span.start(), span.end()))
        .toList();
  }

  @Test
  void aTemplateSaysWhetherItMarksAnything() {
    String marked =
        "{% macro m() %}{% if a %}{% generation %}x{% endgeneration %}{% endif %}{% endmacro %}";
    assertThat(Template.parse(marked, "t").marksGenerated()).isTrue();
    assertThat(Template.parse("{# {% generation %} #}generation", "t").marksGenerated()).isFalse();
  }

  @Test
  void partsOfGenerationBlocksAreMarked() {
    assertThat(
            generated(
                "<{% for turn in turns %}u{% generation %}{{ turn }}!{% endgeneration %}{% endfor"
                    + " %}>"))
        .containsExactly("a!", "bc!");
  }

  @Test
  void anEmptyBlockIsNoPart() {
    assertThat(generated("x{% generation %}{% endgeneration %}y")).isEmpty();
  }

  @Test
  void whatGoesIntoAVariableIsNoPartOfTheText() {
    assertThat(generated("{% set v %}{% generation %}a{% endgeneration %}{% endset %}{{ v }}"))
        .isEmpty();
  }
}
