package org.dpo4j.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.MatchResult;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/** Closes: a link in the documents of the archive to a file that the archive does not have. */
class ArchiveTest {
  private static final Path ROOT = Path.of("..").toAbsolutePath().normalize();
  private static final Path DESCRIPTOR = Path.of("src", "dist", "archive.xml").toAbsolutePath();
  private static final Pattern SOURCE = Pattern.compile("<(source|directory)>\\.\\./(.*?)</");
  private static final Pattern LINK = Pattern.compile("]\\(([^)\\s#]+)(?:#[^)]*)?\\)");
  private static final Pattern FENCE = Pattern.compile("(?ms)^```.*?^```$");

  @Test
  void everyLinkOfItsDocumentsLeadsToAFileInIt() throws IOException {
    List<Path> packed =
        SOURCE
            .matcher(Files.readString(DESCRIPTOR))
            .results()
            .map(source -> ROOT.resolve(source.group(2)))
            .toList();
    List<String> dead = new ArrayList<>();
    int links = 0;
    for (Path document : documents(packed)) {
      String text = FENCE.matcher(Files.readString(document)).replaceAll("");
      for (MatchResult link : LINK.matcher(text).results().toList()) {
        if (!link.group(1).matches("[a-z]+:.*")) {
          links++;
          Path target = document.resolveSibling(link.group(1)).normalize();
          if (packed.stream().noneMatch(target::startsWith)) {
            dead.add(ROOT.relativize(document) + ": " + link.group(1));
          }
        }
      }
    }

    assertThat(links).isGreaterThan(100);
    assertThat(dead).isEmpty();
  }

  private static List<Path> documents(List<Path> packed) throws IOException {
    List<Path> documents = new ArrayList<>();
    for (Path path : packed) {
      try (Stream<Path> files = Files.walk(path)) {
        files.filter(file -> file.toString().endsWith(".md")).forEach(documents::add);
      }
    }
    return documents;
  }
}
