package org.dpo4j.api;

import static com.tngtech.archunit.core.domain.JavaModifier.PROTECTED;
import static com.tngtech.archunit.core.domain.JavaModifier.PUBLIC;
import static com.tngtech.archunit.core.domain.JavaModifier.SYNTHETIC;
import static org.assertj.core.api.Assertions.assertThat;

import com.tngtech.archunit.core.domain.JavaClass;
import com.tngtech.archunit.core.domain.JavaClasses;
import com.tngtech.archunit.core.domain.JavaMember;
import com.tngtech.archunit.core.domain.JavaType;
import com.tngtech.archunit.core.importer.ClassFileImporter;
import com.tngtech.archunit.core.importer.ImportOption;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.dpo4j.Internal;
import org.junit.jupiter.api.Test;

/**
 * Closes: an internal type, or one of the binding, in a signature of the API; and a package that is
 * neither documented nor marked internal.
 */
class ApiTest {

  private static final Set<String> API = Set.of("org.dpo4j", "org.dpo4j.api");

  /** The level below the API that the tutorial uses. */
  private static final Set<String> DOCUMENTED = Set.of("org.dpo4j.demo", "org.dpo4j.loss");

  /** Make a new type package-private where it can be; lower this number when it falls. */
  private static final int MOST_OUTSIDE = 420;

  private static final JavaClasses CORE =
      new ClassFileImporter()
          .withImportOption(new ImportOption.DoNotIncludeTests())
          .importPackages("org.dpo4j");

  private static boolean isPublic(JavaClass type) {
    return type.getModifiers().contains(PUBLIC)
        && type.getEnclosingClass().map(ApiTest::isPublic).orElse(true);
  }

  private static boolean isApi(JavaClass type) {
    return API.contains(type.getPackageName())
        && isPublic(type)
        && !type.isAnnotatedWith(Internal.class);
  }

  private static boolean isAllowed(JavaClass type) {
    JavaClass base = type.getBaseComponentType();
    return base.isPrimitive()
        || base.getPackageName().startsWith("java.")
        || base.getPackageName().startsWith("org.jspecify.")
        || isApi(base);
  }

  @Test
  void signaturesOfTheApiMentionTheJdkAndTheApiAlone() {
    Set<String> leaks = new TreeSet<>();
    Set<String> seen = new TreeSet<>();
    for (JavaClass type : CORE) {
      if (!isApi(type)) {
        continue;
      }
      seen.add(type.getSimpleName());
      Stream<JavaType> supertypes =
          Stream.concat(type.getSuperclass().stream(), type.getInterfaces().stream());
      report(leaks, type.getName(), supertypes);
      type.getTypeParameters()
          .forEach(parameter -> report(leaks, type.getName(), parameter.getUpperBounds().stream()));
      for (JavaMember member : type.getMembers()) {
        boolean visible =
            member.getModifiers().contains(PUBLIC) || member.getModifiers().contains(PROTECTED);
        if (visible && !member.getModifiers().contains(SYNTHETIC)) {
          member.getAllInvolvedRawTypes().stream()
              .filter(involved -> !isAllowed(involved))
              .forEach(involved -> leaks.add(member.getFullName() + ": " + involved.getName()));
        }
      }
    }

    assertThat(seen).contains("PreferenceTuning", "LanguageModel", "Builder", "TrainingResult");
    assertThat(leaks).isEmpty();
  }

  private static void report(Set<String> leaks, String where, Stream<? extends JavaType> types) {
    types
        .flatMap(type -> type.getAllInvolvedRawTypes().stream())
        .filter(type -> !isAllowed(type))
        .forEach(type -> leaks.add(where + ": " + type.getName()));
  }

  @Test
  void everyOtherPackageIsMarkedInternalOrDocumented() {
    Set<String> unmarked =
        CORE.stream()
            .filter(type -> type.getSimpleName().equals("package-info"))
            .filter(type -> !type.isAnnotatedWith(Internal.class))
            .map(JavaClass::getPackageName)
            .filter(name -> !API.contains(name) && !name.startsWith("org.dpo4j.jinja"))
            .collect(Collectors.toSet());

    assertThat(unmarked).isEqualTo(DOCUMENTED);
  }

  @Test
  void theNumberOfPublicTypesOutsideTheApiDoesNotGrow() {
    long outside =
        CORE.stream()
            .filter(type -> type.isTopLevelClass() && !type.getSimpleName().equals("package-info"))
            .filter(type -> !type.getPackageName().startsWith("org.dpo4j.jinja"))
            .filter(type -> isPublic(type) && !isApi(type))
            .count();

    assertThat(outside).isLessThanOrEqualTo(MOST_OUTSIDE);
  }
}
