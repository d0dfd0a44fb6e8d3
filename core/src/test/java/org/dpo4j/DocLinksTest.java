package org.dpo4j;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/**
 * Closes the gap between documents and code: a link to a file or heading that is not there, a
 * formula that points at a method which was renamed, a class in ARCHITECTURE.md that is gone.
 */
class DocLinksTest {

  private static final Path ROOT = Path.of("..").toAbsolutePath().normalize();

  private static final Pattern FENCE = Pattern.compile("(?ms)^```.*?^```$");
  private static final Pattern LINK = Pattern.compile("\\[([^\\]]+)]\\(([^)\\s]+)\\)");
  private static final Pattern METHOD = Pattern.compile("(\\w+)\\.(\\w+)");
  private static final Pattern HEADING = Pattern.compile("(?m)^#{1,6} +(.+?) *$");
  private static final Pattern CODE = Pattern.compile("`([^`\\n]+)`");
  private static final Pattern TYPE =
      Pattern.compile("(?:[a-z]\\w*\\.)*([A-Z]\\w*[a-z]\\w*)(?:\\.[a-z]\\w*(?:\\(\\))?)?");

  private static final Pattern DECLARED =
      Pattern.compile(
          "(?m)^ *(?:import [\\w.]+\\.|(?:\\w+ )*(?:class|record|interface|enum) )(\\w+)");

  /** A link as it stands in a document. */
  private record Link(Path document, String text, String target) {

    boolean external() {
      return target.matches("[a-z]+:.*");
    }

    Path file() {
      String path = target.replaceFirst("#.*", "");
      // A path in a link is percent-encoded.
      String decoded = URI.create(path).getPath();
      return path.isEmpty() ? document : document.resolveSibling(decoded).normalize();
    }

    String anchor() {
      int hash = target.indexOf('#');
      return hash < 0 ? "" : target.substring(hash + 1);
    }

    @Override
    public String toString() {
      return ROOT.relativize(document) + ": [" + text + "](" + target + ")";
    }
  }

  @Test
  void everyRelativeLinkLeadsToAFileOfTheRepository() throws IOException {
    List<Link> links = relativeLinks();

    assertThat(links).hasSizeGreaterThan(35);
    assertThat(links)
        .filteredOn(link -> !link.file().startsWith(ROOT) || !Files.exists(link.file()))
        .isEmpty();
  }

  @Test
  void everyAnchorLeadsToAHeading() throws IOException {
    List<Link> anchored =
        relativeLinks().stream().filter(link -> !link.anchor().isEmpty()).toList();

    assertThat(anchored).isNotEmpty();
    for (Link link : anchored) {
      assertThat(anchors(link.file())).as(link.toString()).contains(link.anchor());
    }
  }

  @Test
  void everyLinkedMethodIsInTheLinkedSource() throws IOException {
    int methods = 0;
    for (Link link : relativeLinks()) {
      if (!link.file().toString().endsWith(".java")) {
        continue;
      }
      Matcher method = METHOD.matcher(link.text().replace("`", ""));
      String source = Files.readString(link.file());
      String type = link.file().getFileName().toString().replace(".java", "");
      if (method.matches()) {
        methods++;
        assertThat(method.group(1)).as(link.toString()).isEqualTo(type);
        // A declaration stands behind its type; a call stands behind a dot or an operator.
        assertThat(source)
            .as(link.toString())
            .containsPattern("(?m)^  [\\w<>\\[\\], @?]*\\w[>\\]]* " + method.group(2) + "\\(");
      } else {
        assertThat(link.text().replace("`", "")).as(link.toString()).isEqualTo(type);
      }
    }
    assertThat(methods).isGreaterThan(25);
  }

  @Test
  void everyTypeNamedInTheArchitectureExists() throws IOException {
    Set<String> types = types();
    String text = FENCE.matcher(read(ROOT.resolve("ARCHITECTURE.md"))).replaceAll("");
    List<String> named =
        CODE.matcher(text)
            .results()
            .map(code -> TYPE.matcher(code.group(1)))
            .filter(Matcher::matches)
            .map(type -> type.group(1))
            .toList();

    assertThat(named).contains("DpoException", "UsageException");
    assertThat(types).containsAll(named);
  }

  @Test
  void everyDocumentIsFound() throws IOException {
    assertThat(documents().stream().map(document -> ROOT.relativize(document).toString()))
        .contains("README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md", "LOG.md")
        .filteredOn(name -> name.startsWith("docs"))
        .hasSizeGreaterThanOrEqualTo(6);
  }

  /** Markdown of the root folder, and of docs and examples with all that is below them. */
  private static List<Path> documents() throws IOException {
    List<Path> documents = new ArrayList<>(markdown(ROOT, 1));
    documents.addAll(markdown(ROOT.resolve("docs"), Integer.MAX_VALUE));
    documents.addAll(markdown(ROOT.resolve("examples"), Integer.MAX_VALUE));
    return documents;
  }

  private static List<Path> markdown(Path folder, int depth) throws IOException {
    try (Stream<Path> files = Files.walk(folder, depth)) {
      return files.filter(file -> file.toString().endsWith(".md")).sorted().toList();
    }
  }

  private static List<Link> relativeLinks() throws IOException {
    List<Link> links = new ArrayList<>();
    for (Path document : documents()) {
      LINK.matcher(FENCE.matcher(read(document)).replaceAll(""))
          .results()
          .map(link -> new Link(document, link.group(1), link.group(2)))
          .filter(link -> !link.external())
          .forEach(links::add);
    }
    return links;
  }

  /** The anchors that GitHub gives to the headings of a document. */
  private static Set<String> anchors(Path document) throws IOException {
    Map<String, Integer> seen = new HashMap<>();
    Set<String> anchors = new HashSet<>();
    Matcher heading = HEADING.matcher(FENCE.matcher(read(document)).replaceAll(""));
    while (heading.find()) {
      String anchor =
          heading
              .group(1)
              .toLowerCase(Locale.ROOT)
              .replaceAll("[^\\p{L}\\p{N} _-]", "")
              .replace(' ', '-');
      int before = seen.merge(anchor, 1, Integer::sum) - 1;
      anchors.add(before == 0 ? anchor : anchor + "-" + before);
    }
    return anchors;
  }

  /** Simple names of all types that the sources declare or import. */
  private static Set<String> types() throws IOException {
    Set<String> types = new HashSet<>();
    for (String module : List.of("core", "cli")) {
      try (Stream<Path> files = Files.walk(ROOT.resolve(module).resolve("src"))) {
        for (Path file : files.filter(path -> path.toString().endsWith(".java")).toList()) {
          DECLARED.matcher(read(file)).results().map(type -> type.group(1)).forEach(types::add);
        }
      }
    }
    return types;
  }

  private static String read(Path document) throws IOException {
    return Files.readString(document).replace("\r\n", "\n");
  }
}
