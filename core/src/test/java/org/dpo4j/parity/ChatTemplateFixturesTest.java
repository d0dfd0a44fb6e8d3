package org.dpo4j.parity;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Clock;
import java.time.Instant;
import java.time.ZoneOffset;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.dpo4j.DpoException;
import org.dpo4j.data.Message;
import org.dpo4j.tokenizer.ChatTemplate;
import org.dpo4j.tokenizer.TemplateRefusedException;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.TestFactory;
import tools.jackson.core.type.TypeReference;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/**
 * Closes the defect that a released template renders another text than in transformers. The
 * templates are other people's files, so they stay outside of the project: the folder is found
 * through {@code DPO4J_SHARED}, a system property or environment variable.
 */
@Tag("shared")
class ChatTemplateFixturesTest {
  private static final String SUFFIX = ".expected.json";
  private static final Clock CLOCK =
      Clock.fixed(Instant.parse("2026-11-23T12:00:00Z"), ZoneOffset.UTC);

  @TestFactory
  List<DynamicTest> everyCaseRendersExactly() throws IOException {
    String shared = System.getProperty("DPO4J_SHARED", System.getenv("DPO4J_SHARED"));
    Assumptions.assumeTrue(shared != null, "DPO4J_SHARED is not set");
    Path folder = Path.of(shared, "fixtures", "chat_templates");
    assertThat(folder).isDirectory();
    List<DynamicTest> tests = new ArrayList<>();
    try (Stream<Path> files = Files.list(folder)) {
      for (Path file : files.filter(f -> f.toString().endsWith(SUFFIX)).sorted().toList()) {
        String name = file.getFileName().toString().replace(SUFFIX, "");
        String source = Files.readString(folder.resolve(name + ".jinja"));
        ChatTemplate template = ChatTemplate.parse(source, name + ".jinja").withClock(CLOCK);
        int number = 0;
        for (JsonNode one : JsonMapper.shared().readTree(Files.readString(file))) {
          String title = name + " " + number++;
          tests.add(DynamicTest.dynamicTest(title, () -> agrees(template, one)));
        }
      }
    }
    assertThat(tests).hasSize(180);
    return tests;
  }

  private static void agrees(ChatTemplate template, JsonNode expected) {
    List<Map<String, Object>> turns =
        JsonMapper.shared().convertValue(expected.get("messages"), new TypeReference<>() {});
    List<Message> messages = turns.stream().map(Message::new).toList();
    boolean prompt = expected.get("add_generation_prompt").booleanValue();
    Map<String, Object> names = Map.of("bos_token", "<s>", "eos_token", "<|im_end|>");
    if (expected.has("error")) {
      String error = expected.get("error").stringValue();
      assertThatThrownBy(() -> template.render(messages, prompt, names))
          .isInstanceOfAny(TemplateRefusedException.class, DpoException.class)
          .hasMessageContaining(error);
    } else {
      assertThat(template.render(messages, prompt, names))
          .isEqualTo(expected.get("rendered").stringValue());
    }
  }
}
