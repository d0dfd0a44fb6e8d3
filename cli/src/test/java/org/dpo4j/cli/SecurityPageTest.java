package org.dpo4j.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/** Closes a promise of SECURITY.md that no test holds. */
class SecurityPageTest {
  private static final Path ROOT = Path.of("..").toAbsolutePath().normalize();
  private static final Pattern TEST = Pattern.compile("`([A-Z]\\w+Test)(?:\\.(\\w+))?`");

  @Test
  void everyPromiseNamesTestsThatExist() throws IOException {
    String page = Files.readString(ROOT.resolve("SECURITY.md"));
    String promises = page.substring(page.indexOf("## Promises"), page.indexOf("## Limits"));
    List<String> paragraphs =
        Stream.of(promises.split("\n\n", -1)).filter(text -> text.startsWith("**")).toList();
    assertThat(paragraphs).hasSizeGreaterThan(5);
    List<String> missing = new ArrayList<>();
    for (String paragraph : paragraphs) {
      Matcher test = TEST.matcher(paragraph);
      int tests = 0;
      while (test.find()) {
        tests++;
        if (!exists(test.group(1), test.group(2))) {
          missing.add(test.group());
        }
      }
      if (tests == 0) {
        Matcher check = Pattern.compile("`(\\.ci/\\w+)`").matcher(paragraph);
        assertThat(check.results().map(found -> ROOT.resolve(found.group(1))))
            .as(paragraph)
            .isNotEmpty()
            .allMatch(Files::isExecutable);
      }
    }
    assertThat(missing).isEmpty();
    Matcher link = Pattern.compile("]\\(([^)]+)\\)").matcher(page);
    assertThat(link.results().map(found -> ROOT.resolve(found.group(1)))).allMatch(Files::exists);
  }

  private static boolean exists(String test, String method) throws IOException {
    for (String module : List.of("jinja", "core", "cli")) {
      try (Stream<Path> files = Files.walk(ROOT.resolve(module + "/src/test/java"))) {
        for (Path file : files.filter(path -> path.endsWith(test + ".java")).toList()) {
          return method == null || Files.readString(file).contains("void " + method + "(");
        }
      }
    }
    return false;
  }
}
