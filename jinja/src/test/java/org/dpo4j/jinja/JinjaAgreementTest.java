package org.dpo4j.jinja;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.io.InputStream;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import java.util.stream.StreamSupport;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/**
 * Closes the defect that a template means something else here than in Python: every snippet of
 * {@code fixtures/jinja/cases.json} was rendered by transformers with jinja2 3.1.6, and what
 * Python's Jinja refuses must be refused here.
 */
class JinjaAgreementTest {

  @TestFactory
  Stream<DynamicTest> rendersWhatPythonRenders() throws IOException {
    try (InputStream in = getClass().getResourceAsStream("/fixtures/jinja/cases.json")) {
      JsonNode cases = JsonMapper.shared().readTree(in);
      return StreamSupport.stream(cases.spliterator(), false)
          .map(
              one -> {
                String source = one.path("template").stringValue();
                return DynamicTest.dynamicTest(source, () -> agrees(source, one.get("rendered")));
              });
    }
  }

  private static void agrees(String source, @Nullable JsonNode rendered) {
    Map<String, @Nullable Object> names = new HashMap<>();
    names.put("tools", null);
    names.put("documents", null);
    names.put("add_generation_prompt", false);
    names.put("bos_token", "<s>");
    names.put("messages", conversation());
    if (rendered == null) {
      assertThatThrownBy(() -> Template.parse(source, "t").render(names, Map.of()))
          .isInstanceOf(TemplateException.class)
          .hasMessageStartingWith("[t:");
    } else {
      assertThat(Template.parse(source, "t").render(names, Map.of()))
          .isEqualTo(rendered.stringValue());
    }
  }

  private static List<Map<String, Object>> conversation() {
    return List.of(turn("user", "Hi"), turn("assistant", "Yo \ud83d\ude00\u00e9"));
  }

  private static Map<String, Object> turn(String role, String content) {
    Map<String, Object> turn = new java.util.LinkedHashMap<>();
    turn.put("role", role);
    turn.put("content", content);
    return turn;
  }
}
