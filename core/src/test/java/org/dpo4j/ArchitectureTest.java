package org.dpo4j;

import static com.tngtech.archunit.core.domain.JavaClass.Predicates.simpleName;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;
import static org.assertj.core.api.Assertions.assertThat;

import com.tngtech.archunit.core.domain.JavaClass;
import com.tngtech.archunit.core.domain.JavaClasses;
import com.tngtech.archunit.core.importer.ClassFileImporter;
import com.tngtech.archunit.core.importer.ImportOption;
import com.tngtech.archunit.lang.ArchRule;
import java.net.Proxy;
import java.net.URL;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Rejects defects of structure: a package that uses a later one of the line, native memory handled,
 * a connection opened or listened for outside the package that may, and a library that ends the
 * process or writes to its streams.
 */
class ArchitectureTest {

  /** The line, in order: a package may use those before it and {@code org.dpo4j} itself. */
  private static final List<String> LINE =
      List.of(
          "jinja",
          "options",
          "data",
          "tokenizer",
          "encode",
          "survey",
          "torch",
          "ranks",
          "batch",
          "model",
          "weights",
          "logprob",
          "reference",
          "loss",
          "optim",
          "train",
          "evaluate",
          "generate",
          "gguf",
          "checkpoint",
          "judge",
          "report",
          "hub",
          "tracking",
          "serve",
          "plan",
          "config",
          "run",
          "api",
          "demo");

  private static final List<String> WITHOUT_TENSORS =
      List.of("jinja", "options", "data", "tokenizer", "encode", "survey");

  private static final JavaClasses CORE =
      new ClassFileImporter()
          .withImportOption(new ImportOption.DoNotIncludeTests())
          .importPackages("org.dpo4j");

  static List<String> packages() {
    return LINE;
  }

  static List<String> packagesWithoutTensors() {
    return WITHOUT_TENSORS;
  }

  @Test
  void everyClassIsInAPackageOfTheLineOrInTheRootPackage() {
    Set<String> found =
        CORE.stream()
            .map(ArchitectureTest::packageOf)
            .collect(Collectors.toCollection(TreeSet::new));

    assertThat(found).hasSizeGreaterThan(3);
    assertThat(Stream.concat(Stream.of(""), LINE.stream())).containsAll(found);
  }

  @ParameterizedTest
  @MethodSource("packages")
  void noPackageUsesALaterOne(String name) {
    List<String> later = LINE.subList(LINE.indexOf(name) + 1, LINE.size());
    if (later.isEmpty()) {
      return;
    }
    check(
        noClasses()
            .that()
            .resideInAPackage(inside(name))
            .should()
            .dependOnClassesThat()
            .resideInAnyPackage(
                later.stream().map(ArchitectureTest::inside).toArray(String[]::new)));
  }

  @Test
  void theRootPackageUsesNoOtherPackage() {
    check(
        noClasses()
            .that()
            .resideInAPackage("org.dpo4j")
            .should()
            .dependOnClassesThat()
            .resideInAPackage("org.dpo4j.*.."));
  }

  @ParameterizedTest
  @MethodSource("packagesWithoutTensors")
  void nothingBeforeTheEngineUsesLibtorch(String name) {
    check(
        noClasses()
            .that()
            .resideInAPackage(inside(name))
            .should()
            .dependOnClassesThat()
            .resideInAPackage("org.bytedeco.."));
  }

  @Test
  void onlyTheEngineHandlesNativeMemory() {
    check(
        noClasses()
            .that()
            .resideOutsideOfPackage(inside("torch"))
            .should()
            .dependOnClassesThat()
            .resideInAPackage("org.bytedeco.javacpp.."));
  }

  @Test
  void nothingInTheLibraryEndsTheProcess() {
    check(noClasses().should().callMethod(System.class, "exit", int.class));
    check(noClasses().should().callMethod(Runtime.class, "halt", int.class));
  }

  @Test
  void onlyReportsMayUseTheStandardStreams() {
    check(
        noClasses()
            .that()
            .resideOutsideOfPackage(inside("report"))
            .should()
            .accessField(System.class, "out")
            .orShould()
            .accessField(System.class, "err"));
  }

  @Test
  void onlyTheHubTrackersAndRanksOpenConnections() {
    ArchRule rule =
        noClasses()
            .that()
            .resideOutsideOfPackages(inside("hub"), inside("tracking"), inside("ranks"))
            .should()
            .dependOnClassesThat()
            .resideInAnyPackage("java.net.http..", "javax.net..")
            .orShould()
            .dependOnClassesThat()
            .haveNameMatching(
                "java\\.net\\.((Server|Datagram|Multicast)?Socket|URLConnection|HttpURLConnection)"
                    + "|java\\.nio\\.channels\\..*(Socket|Datagram)Channel")
            .orShould()
            .callMethod(URL.class, "openConnection")
            .orShould()
            .callMethod(URL.class, "openConnection", Proxy.class)
            .orShould()
            .callMethod(URL.class, "openStream")
            .orShould()
            .callMethod(URL.class, "getContent");
    check(rule);
    for (String connecting : List.of("hub", "tracking")) {
      assertThat(
              CORE.stream()
                  .filter(type -> packageOf(type).equals(connecting))
                  .flatMap(type -> type.getDirectDependenciesFromSelf().stream())
                  .map(dependency -> dependency.getTargetClass().getPackageName()))
          .as(connecting)
          .contains("java.net.http");
    }
  }

  @Test
  void onlyTheServerListensAndLooksUpAddresses() {
    check(
        noClasses()
            .that()
            .resideOutsideOfPackages(inside("serve"), inside("hub"), inside("ranks"))
            .should()
            .dependOnClassesThat()
            .haveNameMatching("java\\.net\\.(InetAddress|InetSocketAddress)"));
    check(
        noClasses()
            .that()
            .resideOutsideOfPackage(inside("serve"))
            .should()
            .dependOnClassesThat()
            .resideInAnyPackage("com.sun.net.."));
    assertThat(
            CORE.stream()
                .filter(type -> packageOf(type).equals("serve"))
                .flatMap(type -> type.getDirectDependenciesFromSelf().stream())
                .map(dependency -> dependency.getTargetClass().getPackageName()))
        .contains("com.sun.net.httpserver");
  }

  @Test
  void nothingLogsThroughTheLoggingOfTheJdk() {
    check(noClasses().should().dependOnClassesThat().resideInAPackage("java.util.logging.."));
  }

  @Test
  void everyPackageSaysWhatItIsFor() {
    Set<String> packages = CORE.stream().map(JavaClass::getPackageName).collect(Collectors.toSet());
    Set<String> described =
        CORE.stream()
            .filter(simpleName("package-info"))
            .map(JavaClass::getPackageName)
            .collect(Collectors.toSet());

    assertThat(described).containsAll(packages);
  }

  private static void check(ArchRule rule) {
    // A package without classes breaks no rule.
    rule.allowEmptyShould(true).check(CORE);
  }

  private static String inside(String name) {
    return "org.dpo4j." + name + "..";
  }

  private static String packageOf(JavaClass type) {
    String name = type.getPackageName();
    return name.equals("org.dpo4j") ? "" : name.split("\\.")[2];
  }
}
