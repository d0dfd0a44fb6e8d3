package org.dpo4j.options;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.stream.Collectors;
import org.dpo4j.UsageException;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * Closes the gap to PyYAML, which reads the same files for TRL: a value must mean here what its
 * safe loader makes of it, or be refused with its line.
 */
class YamlOptionsTest {
  private final Path file;

  YamlOptionsTest(@TempDir Path folder) {
    file = folder.resolve("run.yaml");
  }

  @Test
  void anAliasIsTheValueOfItsAnchor() throws IOException {
    Map<String, String> values =
        texts(
            """
            hub_model_id: &name runs/tuned
            output_dir: *name
            seed: &n 2
            max_steps: *n
            loss_type: &losses [sigmoid, sft]
            lora_target_modules: *losses
            report_to: &empty
            run_name: *empty
            """);

    assertThat(values)
        .containsEntry("output_dir", "runs/tuned")
        .containsEntry("max_steps", "2")
        .containsEntry("lora_target_modules", "sigmoid,sft")
        .containsEntry("run_name", "null");
  }

  @Test
  void aMergeKeyAddsWhatTheMappingDoesNotHaveItself() throws IOException {
    // PyYAML: {'a': {'beta': 0.5, 'seed': 1}, 'b': {'beta': 0.7}, 'beta': 0.5, 'seed': 3,
    // 'c': {'beta': 0.7, 'seed': 1, 'x': 2}}
    Map<String, GivenValue> values =
        read(
            """
            a: &a {beta: 0.5, seed: 1}
            b: &b
              beta: 0.7
            <<: *a
            seed: 3
            c:
              x: 2
              <<: [*b, *a]
            """);

    assertThat(values.get("seed")).isEqualTo(new GivenValue("3", file + ":5: "));
    assertThat(values.get("beta")).isEqualTo(new GivenValue("0.5", file + ":1: "));
    assertThat(values)
        .containsEntry("c", new GivenValue("{x: 2, beta: 0.7, seed: 1}", file + ":6: "));
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '`',
      textBlock =
          """
          1e-6                 | 1e-6
          !!float 1e-6         | 1e-6
          !!str 010            | 010
          '010'                | 010
          "a\\tb"              | `a\tb`
          !!str yes            | yes
          ~                    | null
          !!null ''            | null
          Null                 | null
          `a b # no more`      | a b
          a#b                  | a#b
          [a, 'b,c']           | a,b\\,c
          [[a], {b: c}]        | a,{b: c}
          {use_reentrant: off} | {use_reentrant: off}
          {a: [1, "1", x], b: "no", c: ""} | {a: [1, "1", x], b: "no", c: ""}
          {a: "x, y", b: "~", c: 'q'} | {a: "x, y", b: "~", c: q}
          0:30                 | 0:30
          08                   | 08
          """)
  void aScalarIsTheTextThatPyYamlSees(String yaml, String text) throws IOException {
    assertThat(texts("x: " + yaml + "\n")).containsEntry("x", text);
  }

  @Test
  void blocksListsAndEmptyDocumentsAreRead() throws IOException {
    assertThat(
            texts(
                """
                %YAML 1.1
                ---
                a: >
                  two
                  words
                b: |-
                  one
                c:
                - x
                - y
                d: plain
                  text
                ...
                """))
        .containsExactly(
            Map.entry("a", "two words\n"),
            Map.entry("b", "one"),
            Map.entry("c", "x,y"),
            Map.entry("d", "plain text"));
    assertThat(texts("")).isEmpty();
    assertThat(texts("# nothing\n---\n")).isEmpty();
    assertThat(texts("\uFEFFbeta: 1\n")).containsExactly(Map.entry("beta", "1"));
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      textBlock =
          """
          seed: 010         | 1: 010 is 8 to PyYAML
          seed: -0_17       | 1: -0_17 is -15 to PyYAML
          seed: 1:30        | 1: 1:30 is 90 to PyYAML
          x: [1, 2:03.5]    | 1: 2:03.5 is 123.5 to PyYAML
          x: !!python/tuple [] | 1: the tag tag:yaml.org,2002:python/tuple is not read
          x: !mine a        | 1: the tag !mine is not read
          x: !!binary aGk=  | 1: the tag tag:yaml.org,2002:binary is not read
          x: &a [*a]        | 1: an anchor must not hold an alias of itself
          <<: 3             | 1: << must name a mapping
          ? [a]             | 1: a key must be an option's name
          x: *none          | 1: this is not valid YAML: found undefined alias none
          """)
  void whatPyYamlReadsInAnUnexpectedWayOrNotAtAllIsRefused(String yaml, String message) {
    assertThatThrownBy(() -> read(yaml + "\n"))
        .isInstanceOf(UsageException.class)
        .hasMessageStartingWith(file + ":" + message);
  }

  @Test
  void aSecondDocumentAndASecondKeyAreRefusedWithTheirLines() {
    assertThatThrownBy(() -> read("beta: 1\n---\nbeta: 2\n"))
        .hasMessageContaining("run.yaml:3: a configuration must be one YAML document");
    assertThatThrownBy(() -> read("x:\n  y: 1\n  y: 2\n"))
        .hasMessageContaining("run.yaml:3: y is given twice in this file, first at");
  }

  private Map<String, String> texts(String yaml) throws IOException {
    return read(yaml).entrySet().stream()
        .collect(Collectors.toMap(Map.Entry::getKey, entry -> entry.getValue().text()));
  }

  private Map<String, GivenValue> read(String yaml) throws IOException {
    return YamlOptions.read(Files.writeString(file, yaml));
  }
}
