package org.dpo4j.weights;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.dpo4j.DpoException;
import org.dpo4j.model.lora.TargetModules;
import org.junit.jupiter.api.Test;

/**
 * Closes: a row of {@code docs/reference/models.md} that is missing, or that promises a model type,
 * a comparison with TRL or default layers of an adapter that there are not.
 */
class ModelsPageTest {
  private static final Pattern ROW = Pattern.compile("\\| `([a-z0-9_]+)`( \\*)? \\|.*");
  private static final Pattern NAME = Pattern.compile("`([a-z0-9_]+)`");

  @Test
  void thePageListsEveryModelTypeOnceAndMarksThoseThatAreComparedWithTrl() throws IOException {
    List<String> types = new ArrayList<>();
    Set<String> marked = new TreeSet<>();
    for (String line : part("# Models", "### What is refused")) {
      Matcher row = ROW.matcher(line);
      if (row.matches() && !row.group(1).equals("model_type")) { // the heading
        types.add(row.group(1));
        if (row.group(2) != null) {
          marked.add(row.group(1));
        }
      }
    }
    assertThat(types).containsExactlyInAnyOrderElementsOf(ModelReader.modelTypes());
    assertThat(marked).isEqualTo(trained());
  }

  @Test
  void thePageGivesTheDefaultLayersOfEachModelType() throws IOException {
    Map<String, List<String>> written = new HashMap<>();
    for (String line : part("### Default layers", "PEFT has no default for the other types")) {
      String[] cells = line.split("\\|", -1);
      if (cells.length == 4) {
        names(cells[2]).forEach(type -> written.put(type, names(cells[1])));
      }
    }
    written.remove("model_type"); // the heading
    Map<String, List<String>> expected = new HashMap<>();
    for (String type : ModelReader.modelTypes()) {
      try {
        TargetModules targets = PeftAdapter.defaultTargets(type, Set.of(), List.of());
        expected.put(type, ((TargetModules.Named) targets).names());
      } catch (DpoException e) { // it has none
        assertThat(written).doesNotContainKey(type);
      }
    }
    assertThat(written).isEqualTo(expected);
  }

  /** The model types of which a run of TRL is repeated. */
  private static Set<String> trained() throws IOException {
    Set<String> types = new TreeSet<>();
    for (String folder : List.of("trajectories", "family_trajectories")) {
      try (Stream<Path> files = Files.list(ModelFolders.fixture(folder))) {
        for (Path file : files.filter(f -> f.toString().endsWith(".json")).toList()) {
          String model = HuggingFaceConfig.tree(file).at("/setup/model").asString("/");
          types.add(model.substring(model.lastIndexOf('/') + 1));
        }
      }
    }
    types.remove(""); // of the tokenizer beside them
    return types;
  }

  private static List<String> part(String from, String to) throws IOException {
    String page = Files.readString(Path.of("..", "docs", "reference", "models.md"));
    return page.substring(page.indexOf(from), page.indexOf(to)).lines().toList();
  }

  private static List<String> names(String cell) {
    return NAME.matcher(cell).results().map(found -> found.group(1)).toList();
  }
}
