package org.dpo4j.langchain4j;

import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.classes;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;
import static org.assertj.core.api.Assertions.assertThat;

import com.tngtech.archunit.core.domain.JavaClass;
import com.tngtech.archunit.core.domain.JavaClasses;
import com.tngtech.archunit.core.domain.JavaModifier;
import com.tngtech.archunit.core.importer.ClassFileImporter;
import com.tngtech.archunit.core.importer.ImportOption;
import org.dpo4j.Internal;
import org.junit.jupiter.api.Test;

/**
 * Closes: a module that only works inside this repository, because it uses what is not the API of
 * dpo4j or of LangChain4j, and a public type that no user needs.
 */
class ModuleTest {

  private static final JavaClasses MODULE =
      new ClassFileImporter()
          .withImportOption(new ImportOption.DoNotIncludeTests())
          .importPackages("org.dpo4j.langchain4j");

  @Test
  void theModuleUsesTheApisAlone() {
    classes()
        .should()
        .onlyDependOnClassesThat()
        .resideInAnyPackage(
            "java.lang..",
            "java.util..",
            "org.dpo4j",
            "org.dpo4j.api",
            "org.dpo4j.langchain4j",
            "dev.langchain4j..",
            "org.slf4j",
            "org.jspecify.annotations")
        .check(MODULE);
    noClasses()
        .should()
        .dependOnClassesThat()
        .resideInAnyPackage("dev.langchain4j.internal..", "java.util.logging..")
        .orShould()
        .dependOnClassesThat()
        .areAnnotatedWith(Internal.class)
        .check(MODULE);
  }

  @Test
  void theModelsAndTheirBuildersAreAllThatIsPublic() {
    assertThat(
            MODULE.stream()
                .filter(type -> type.getModifiers().contains(JavaModifier.PUBLIC))
                .filter(type -> !type.isInterface())
                .map(JavaClass::getName))
        .containsExactlyInAnyOrder(
            Dpo4jChatModel.class.getName(),
            Dpo4jChatModel.Builder.class.getName(),
            Dpo4jStreamingChatModel.class.getName(),
            Dpo4jStreamingChatModel.Builder.class.getName());
  }

  @Test
  void nothingInTheModuleUsesTheStandardStreams() {
    noClasses()
        .should()
        .accessField(System.class, "out")
        .orShould()
        .accessField(System.class, "err")
        .check(MODULE);
  }
}
