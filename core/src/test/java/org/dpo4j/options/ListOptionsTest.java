package org.dpo4j.options;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.dpo4j.UsageException;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Options that take several values, from flags, from code and from YAML. */
class ListOptionsTest {

  /** The values of an option. */
  enum Device {
    CPU
  }

  /** A configuration with lists of each kind. */
  record Lists(
      @Option(help = "files") List<Path> files,
      @Option(help = "weights") Optional<List<Double>> weights,
      @Option(value = "cpu", help = "devices") List<Device> devices) {
    static final OptionTable<Lists> OPTIONS = OptionTable.of(Lists.class);
  }

  @Test
  void itemsStandBetweenCommasAndSpacesAroundThemDoNotCount() {
    Lists lists = Lists.OPTIONS.build(Map.of("files", "a.jsonl, b c.jsonl", "weights", "0.5,2"));

    assertThat(lists.files()).containsExactly(Path.of("a.jsonl"), Path.of("b c.jsonl"));
    assertThat(lists.weights()).contains(List.of(0.5, 2.0));
    assertThat(lists.devices()).containsExactly(Device.CPU);
  }

  @Test
  void anItemMayHoldACommaWhichIsEscapedOnTheCommandLine() {
    assertThat(Lists.OPTIONS.build(Map.of("files", "a\\,b.jsonl,c")).files())
        .containsExactly(Path.of("a,b.jsonl"), Path.of("c"));
    assertThat(Lists.OPTIONS.build(Map.of("files", List.of("a,b.jsonl", "c"))).files())
        .containsExactly(Path.of("a,b.jsonl"), Path.of("c"));
  }

  @Test
  void yamlListsAreReadItemByItemAndWrittenBackAsLists(@TempDir Path folder) throws Exception {
    Path file = folder.resolve("run.yaml");
    Files.writeString(file, "files:\n  - a,b.jsonl\n  - c\nweights: [1, 2.5]\n");
    Lists lists = Lists.OPTIONS.read(YamlOptions.read(file));

    assertThat(lists.files()).containsExactly(Path.of("a,b.jsonl"), Path.of("c"));
    assertThat(lists.weights()).contains(List.of(1.0, 2.5));
    Files.writeString(file, YamlOptions.write(Lists.OPTIONS, lists));
    assertThat(Lists.OPTIONS.read(YamlOptions.read(file))).isEqualTo(lists);
  }

  @Test
  void aBadItemIsNamedWithTheRule() {
    assertThatThrownBy(() -> Lists.OPTIONS.build(Map.of("files", "a", "weights", "1,x")))
        .isInstanceOf(UsageException.class)
        .hasMessage(
            "weights must be a list with commas between its items, each a number but was 1,x");
  }

  @Test
  void aRequiredListThatIsMissingIsAskedFor() {
    assertThatThrownBy(() -> Lists.OPTIONS.build(Map.of()))
        .isInstanceOf(MissingOptionsException.class)
        .hasMessageContaining("files");
  }
}
