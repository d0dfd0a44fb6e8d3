package org.dpo4j.run;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Closes: a model card that knows the last base of a chain and loses the others. */
class LineageTest {

  private final Path folder;

  LineageTest(@TempDir Path folder) {
    this.folder = folder;
  }

  @Test
  void theBasesAreFollowedThroughRunsAndCards() throws IOException {
    Path third =
        model("third", "dpo4j.yaml", "model: \"%s\"\n".formatted(folder.resolve("second")));
    model(
        "second",
        "README.md",
        "---\nbase_model: %s\ntags:\n- x\n---\n# x\n".formatted(folder.resolve("first")));
    model("first", "README.md", "---\nlicense: mit\nbase_model:\n- org/base\n---\n");
    assertThat(Lineage.of(third))
        .containsExactly(
            folder.resolve("second").toString(), folder.resolve("first").toString(), "org/base");
  }

  @Test
  void aFolderThatSaysNothingOrIsNoGoodHasNoLineage() throws IOException {
    assertThat(Lineage.of(folder)).isEmpty();
    assertThat(Lineage.of(model("a", "README.md", "# base_model: x\n"))).isEmpty();
    assertThat(Lineage.of(model("b", "README.md", "---\nbase_model: [\n---\n"))).isEmpty();
    assertThat(Lineage.of(model("c", "README.md", "---\nbase_model: [x, y]\n---\n"))).isEmpty();
    assertThat(Lineage.of(model("d", "dpo4j.yaml", ""))).isEmpty();
  }

  @Test
  void aCircleEnds() throws IOException {
    Path one = folder.resolve("one");
    Path two = folder.resolve("two");
    model("one", "dpo4j.yaml", "model: %s\n".formatted(two));
    model("two", "dpo4j.yaml", "model: %s\n".formatted(one));
    assertThat(Lineage.of(one)).containsExactly(two.toString(), one.toString());
  }

  private Path model(String name, String file, String text) throws IOException {
    Path model = Files.createDirectories(folder.resolve(name));
    Files.writeString(model.resolve(file), text);
    return model;
  }
}
