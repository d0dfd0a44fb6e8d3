package org.dpo4j.spark;

import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;
import static org.assertj.core.api.Assertions.assertThat;

import com.tngtech.archunit.core.domain.JavaClass;
import com.tngtech.archunit.core.domain.JavaClasses;
import com.tngtech.archunit.core.domain.JavaModifier;
import com.tngtech.archunit.core.importer.ClassFileImporter;
import com.tngtech.archunit.core.importer.ImportOption;
import org.junit.jupiter.api.Test;

/** Closes: a public type that no user needs, and a job that prints or handles native memory. */
class ModuleTest {

  private static final JavaClasses MODULE =
      new ClassFileImporter()
          .withImportOption(new ImportOption.DoNotIncludeTests())
          .importPackages("org.dpo4j.spark");

  @Test
  void theJobsAndTheProgramAreAllThatIsPublic() {
    assertThat(
            MODULE.stream()
                .filter(type -> type.getModifiers().contains(JavaModifier.PUBLIC))
                .filter(type -> !type.isInterface())
                .map(JavaClass::getName))
        .containsExactlyInAnyOrder(
            SparkScoring.class.getName(),
            SparkEvaluation.class.getName(),
            SparkReference.class.getName(),
            SparkTuning.class.getName(),
            TunedModel.class.getName(),
            Main.class.getName());
  }

  @Test
  void onlyTheProgramAndRanksPrintAndOnlyTheProgramEndsTheProcess() {
    noClasses()
        .that()
        .doNotHaveFullyQualifiedName(Main.class.getName())
        .and()
        .doNotHaveFullyQualifiedName(RankTask.class.getName())
        .should()
        .accessField(System.class, "out")
        .orShould()
        .accessField(System.class, "err")
        .check(MODULE);
    noClasses()
        .that()
        .doNotHaveFullyQualifiedName(Main.class.getName())
        .should()
        .callMethod(System.class, "exit", int.class)
        .check(MODULE);
  }

  @Test
  void nothingInTheModuleTouchesTensors() {
    noClasses().should().dependOnClassesThat().resideInAnyPackage("org.bytedeco..").check(MODULE);
  }
}
