package org.dpo4j.examples;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.io.StringWriter;
import java.net.URL;
import java.net.URLClassLoader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import javax.tools.JavaCompiler;
import javax.tools.StandardJavaFileManager;
import javax.tools.ToolProvider;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Closes: a page whose Java does not compile or prints something else. The {@code java} blocks of a
 * page are one program, and its {@code text} blocks are what that prints, but for the numbers:
 * those depend on the processor's rounding.
 */
class JavaInDocsTest {

  private static final Pattern BLOCK = Pattern.compile("(?ms)^```(java|text)\\R(.*?)^```$");
  private static final Pattern NUMBER = Pattern.compile("[-+]?\\d+(\\.\\d+)?");

  @ParameterizedTest
  @ValueSource(
      strings = {
        "docs/tutorials/dpo-in-java.md",
        "docs/how-to/use-from-java.md",
        "docs/how-to/use-from-langchain4j.md"
      })
  void theProgramOfAPagePrintsWhatThePageSays(String page, @TempDir Path folder) throws Exception {
    StringBuilder imports = new StringBuilder();
    StringBuilder body = new StringBuilder();
    StringBuilder expected = new StringBuilder();
    Matcher blocks = BLOCK.matcher(Files.readString(Path.of("../..").resolve(page)));
    while (blocks.find()) {
      if (blocks.group(1).equals("text")) {
        expected.append(blocks.group(2));
        continue;
      }
      blocks
          .group(2)
          .lines()
          .forEach(line -> (line.startsWith("import ") ? imports : body).append(line).append('\n'));
    }
    compile(
        folder,
        imports
            + "public class Page { public static void run() throws Exception {\n"
            + inFolders(body.toString(), folder)
            + "}}\n");

    assertThat(shape(run(folder))).isNotEmpty().isEqualTo(shape(expected.toString()));
  }

  /** A reader starts in the repository's root; the test must not write there. */
  private static String inFolders(String body, Path folder) {
    return body.replace("Path.of(\"examples/", "Path.of(\"../")
        .replace("Path.of(\"runs/", "Path.of(\"%s/runs/".formatted(folder).replace('\\', '/'));
  }

  private static void compile(Path folder, String source) throws IOException {
    Path file = Files.writeString(folder.resolve("Page.java"), source);
    JavaCompiler compiler = ToolProvider.getSystemJavaCompiler();
    StringWriter errors = new StringWriter();
    try (StandardJavaFileManager files = compiler.getStandardFileManager(null, null, null)) {
      boolean compiled =
          compiler
              .getTask(
                  errors,
                  files,
                  null,
                  List.of("-d", folder.toString(), "-cp", System.getProperty("java.class.path")),
                  null,
                  files.getJavaFileObjects(file))
              .call();
      assertThat(compiled).as("%s%n%s", errors, source).isTrue();
    }
  }

  private static String run(Path folder) throws Exception {
    PrintStream before = System.out;
    ByteArrayOutputStream printed = new ByteArrayOutputStream();
    Locale locale = Locale.getDefault();
    try (URLClassLoader loader = new URLClassLoader(new URL[] {folder.toUri().toURL()})) {
      System.setOut(new PrintStream(printed, true, StandardCharsets.UTF_8));
      Locale.setDefault(Locale.ROOT);
      loader.loadClass("Page").getMethod("run").invoke(null);
    } finally {
      System.setOut(before);
      Locale.setDefault(locale);
    }
    return printed.toString(StandardCharsets.UTF_8);
  }

  /** Lines without their numbers and the width of their gaps. */
  private static List<String> shape(String text) {
    List<String> lines = new ArrayList<>();
    text.lines()
        .forEach(line -> lines.add(NUMBER.matcher(line).replaceAll("N").replaceAll(" +", " ")));
    return lines;
  }
}
