package org.dpo4j.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.DisabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;

/**
 * Closes the defects of the launcher that only a user on another machine would meet: arguments that
 * lose their quotes, links, old tools, builds that fail, collide or go stale. The script is the
 * real one; the JDK and the Maven that it finds are stand-ins which print what they are given.
 */
@DisabledOnOs(OS.WINDOWS)
class LauncherTest {

  private static final Path LAUNCHER = Path.of("..", "dpo4j").toAbsolutePath().normalize();

  /** Prints the arguments behind the jar, each in brackets. */
  private static final String JAVA =
      """
      #!/bin/sh
      while [ "$1" != -jar ]; do
        case $1 in -Duser.home=*) user_home=${1#*=} ;; esac
        shift
      done
      shift 2
      for argument; do printf '[%s]' "$argument"; done
      echo " OMP_WAIT_POLICY=$OMP_WAIT_POLICY OPT_OUT_TRACKING=$OPT_OUT_TRACKING user.home=[$user_home]"
      exit "${FAKE_EXIT:-0}"
      """;

  /** Counts the builds and makes the jar, or fails as told. */
  private static final String MAVEN =
      """
      #!/bin/sh
      if [ "$2" = -v ]; then echo "Apache Maven ${FAKE_MAVEN:-3.9.9} (abc)"; exit; fi
      echo one >>builds
      echo '[INFO] --- maven-compiler-plugin:3.14.1:compile (default-compile) @ dpo4j-core ---'
      sleep "${FAKE_SECONDS:-0}"
      mkdir -p cli/target/quick
      : >cli/target/quick/dpo4j-cli-0.1.0.jar
      if [ -n "$FAKE_FAILURE" ]; then echo "[ERROR] $FAKE_FAILURE"; exit 1; fi
      """;

  private final Path folder;
  private final Path home;
  private final Map<String, String> environment = new HashMap<>();

  /** A project, a JDK and a Maven. */
  LauncherTest(@TempDir Path folder) throws IOException {
    this.folder = folder;
    home = Files.createDirectories(folder.resolve("a project"));
    Files.copy(LAUNCHER, home.resolve("dpo4j"));
    assertThat(home.resolve("dpo4j").toFile().setExecutable(true)).isTrue();
    Files.createDirectories(home.resolve("core/src/main"));
    Files.createDirectories(home.resolve("cli/src/main"));
    Files.writeString(home.resolve("pom.xml"), "<project/>");
    environment.put("JAVA_HOME", jdk(folder, "jdk 21", "21.0.2").toString());
    environment.put("MAVEN_HOME", folder.resolve("maven").toString());
    script(folder.resolve("maven/bin/mvn"), MAVEN);
  }

  @Test
  void argumentsReachTheProgramAsTheyWere() throws Exception {
    Run run = dpo4j("train", "two words", "", "$HOME", "it's", "\"quoted\"", "*", "back\\slash");

    assertThat(run.out())
        .startsWith("[train][two words][][$HOME][it's][\"quoted\"][*][back\\slash] ");
    assertThat(run.code()).isZero();
  }

  @Test
  void theExitCodeIsThatOfTheProgram() throws Exception {
    environment.put("FAKE_EXIT", "7");

    assertThat(dpo4j("demo").code()).isEqualTo(7);
  }

  @Test
  void theEngineGetsItsEnvironment() throws Exception {
    assertThat(dpo4j().out()).contains("OMP_WAIT_POLICY=PASSIVE OPT_OUT_TRACKING=true");

    environment.put("OMP_WAIT_POLICY", "ACTIVE");
    assertThat(dpo4j().out()).contains("OMP_WAIT_POLICY=ACTIVE");
  }

  @Test
  void aChainOfLinksLeadsHome() throws Exception {
    Path first = Files.createSymbolicLink(folder.resolve("first"), home.resolve("dpo4j"));
    Path other = Files.createDirectories(folder.resolve("other place"));
    Files.createSymbolicLink(
        other.resolve("second"), Path.of("..", first.getFileName().toString()));

    Run run = start(other, List.of("./second", "demo")).await();

    assertThat(run.out()).startsWith("[demo]");
    assertThat(home.resolve("cli/target/quick/built")).exists();
  }

  @Test
  void aLinkWithoutReadlinkIsNamed() throws Exception {
    dpo4j("demo");
    Path link = Files.createSymbolicLink(folder.resolve("link"), home.resolve("dpo4j"));
    Path sh = Path.of("/bin/sh");
    environment.put("PATH", Files.createDirectory(folder.resolve("empty")).toString());

    Run run = start(folder, List.of(sh.toString(), link.toString(), "demo")).await();

    assertThat(run.code()).isEqualTo(2);
    assertThat(run.err())
        .isEqualTo(
            "dpo4j: %s is a link, and there is no readlink to follow it; run the dpo4j that it leads to, or install readlink (coreutils or busybox).\n"
                .formatted(link));
  }

  /** The JVM does not read the variable, and has "?" for a user id without a name. */
  @Test
  void theHomeFolderIsThatOfTheEnvironment() throws Exception {
    environment.put("HOME", "/a home");
    assertThat(dpo4j().out()).contains("user.home=[/a home]");

    for (String none : List.of("", "relative")) {
      environment.put("HOME", none);
      assertThat(dpo4j().out()).contains("user.home=[]");
    }
  }

  @Test
  void itBuildsOnceAndAgainWhenASourceIsNewer() throws Exception {
    dpo4j("demo");
    assertThat(dpo4j("demo").err()).isEmpty();
    assertThat(builds()).isEqualTo(1);

    Path source = Files.writeString(home.resolve("core/src/main/New.java"), "class New {}");
    Files.setLastModifiedTime(source, FileTime.from(Instant.now().plusSeconds(5)));

    assertThat(dpo4j("demo").err()).contains("sources are newer than the build");
    assertThat(builds()).isEqualTo(2);
  }

  @Test
  void aFailedBuildShowsTheEndOfItsLogAndLeavesNothingToRun() throws Exception {
    environment.put("FAKE_FAILURE", "cannot find symbol");
    Run failed = dpo4j("demo");

    assertThat(failed.code()).isEqualTo(1);
    assertThat(failed.err()).contains("the build failed", "[ERROR] cannot find symbol");
    assertThat(failed.out()).isEmpty();

    environment.remove("FAKE_FAILURE");
    assertThat(dpo4j("demo").out()).startsWith("[demo]");
    assertThat(builds()).isEqualTo(2);
  }

  @Test
  void aStoppedBuildIsDoneAgain() throws Exception {
    environment.put("FAKE_SECONDS", "30");
    Started started = start(folder, List.of(home.resolve("dpo4j").toString(), "demo"));
    Path signed = home.resolve("target/dpo4j-build.lock/pid");
    while (!Files.exists(home.resolve("builds"))) {
      Thread.sleep(20);
    }
    assertThat(signed).exists();
    started.process().destroy();

    assertThat(started.await().code()).isEqualTo(143);
    assertThat(signed.getParent()).doesNotExist();
    assertThat(home.resolve("cli/target/quick/built")).doesNotExist();
  }

  @Test
  void twoAtOnceBuildOnce() throws Exception {
    environment.put("FAKE_SECONDS", "2");
    Started first = start(folder, List.of(home.resolve("dpo4j").toString(), "one"));
    Started second = start(folder, List.of(home.resolve("dpo4j").toString(), "two"));

    assertThat(first.await().out()).startsWith("[one]");
    assertThat(second.await().out()).startsWith("[two]");
    assertThat(builds()).isEqualTo(1);
  }

  @Test
  void theLockOfADeadProcessHoldsNobodyUp() throws Exception {
    Process dead = new ProcessBuilder("true").start();
    dead.waitFor();
    Path lock = Files.createDirectories(home.resolve("target/dpo4j-build.lock"));
    Files.writeString(lock.resolve("pid"), dead.pid() + "\n");

    assertThat(dpo4j("demo").out()).startsWith("[demo]");
    assertThat(lock).doesNotExist();
  }

  @Test
  void anOldJdkIsPassedOver() throws Exception {
    Path newer = jdk(folder, "jdk 17", "17.0.1");
    environment.put("JAVA_HOME", jdk(folder, "jdk 11", "11.0.2").toString());
    environment.put("PATH", newer.resolve("bin") + ":" + System.getenv("PATH"));

    assertThat(dpo4j("demo").code()).isZero();
    assertThat(home.resolve("cli/target/quick/dpo4j-17.0.1.jsa.home")).exists();
  }

  @Test
  void aWrongJavaHomeIsNamedWithWhatIsUsedInstead() throws Exception {
    Path newer = jdk(folder, "jdk 17", "17.0.1");
    environment.put("PATH", newer.resolve("bin") + ":" + System.getenv("PATH"));
    assertThat(dpo4j("demo").err()).doesNotContain("JAVA_HOME");

    environment.put("JAVA_HOME", "/no/such/jdk");
    assertThat(dpo4j("demo").err())
        .contains("dpo4j: JAVA_HOME=/no/such/jdk is not used (no bin/java in it); using " + newer);
    Path old = jdk(folder, "jdk 11", "11.0.2");
    environment.put("JAVA_HOME", old.toString());
    assertThat(dpo4j("demo").err())
        .contains("JAVA_HOME=%s is not used (version 11.0.2, too old); using ".formatted(old));
  }

  /**
   * {@code LC_ALL=C}, and nothing set at all: the JVM would read each byte of the letters as a
   * fault.
   */
  @Test
  void lettersBeyondAsciiArriveWhateverTheLocale() throws Exception {
    Path jdk = jdk(folder, "real", "21.0.2");
    script(
        jdk.resolve("bin/java"),
        """
        #!/bin/sh
        while [ "$1" != -jar ]; do shift; done
        shift 2
        exec '%s' -cp '%s' org.dpo4j.cli.Main "$@"
        """
            .formatted(
                Path.of(System.getProperty("java.home"), "bin", "java"),
                System.getProperty("java.class.path")));
    environment.put("JAVA_HOME", jdk.toString());
    // As bytes, for the locale of this JVM may be ASCII too.
    String call = "exec \"$0\" \"$(printf 'Gr\\303\\266\\303\\237e')\"";
    for (String locale : List.of("C", "POSIX", "", "xx_XX.UTF-8")) {
      environment.put("LC_ALL", locale);
      Run run = start(folder, List.of("sh", "-c", call, home.resolve("dpo4j").toString())).await();
      assertThat(run.err()).as(locale).contains("unknown command \"Größe\"");
    }

    environment.put("LC_ALL", "C");
    Run bare =
        start(
                folder,
                List.of("sh", "-c", call.replace("\"$0\"", "\"$0\" -jar x"), jdk + "/bin/java"))
            .await();
    assertThat(bare.code()).isEqualTo(2);
    assertThat(bare.err())
        .contains("not in the character set of the locale, ANSI_X3.4-1968", "LC_ALL=C.UTF-8");
  }

  @Test
  void anOldMavenIsRefusedWithBothVersions() throws Exception {
    environment.put("FAKE_MAVEN", "3.6.3");
    Run run = dpo4j("demo");

    assertThat(run.code()).isEqualTo(2);
    assertThat(run.err()).contains("Maven 3.8.7 or newer", "is 3.6.3");
    assertThat(builds()).isZero();

    environment.put("FAKE_MAVEN", "3.10.0");
    assertThat(dpo4j("demo").code()).isZero();
  }

  private static Path jdk(Path folder, String name, String version) throws IOException {
    Path jdk = folder.resolve(name);
    script(jdk.resolve("bin/java"), JAVA);
    script(jdk.resolve("bin/javac"), "#!/bin/sh\n");
    Files.writeString(jdk.resolve("release"), "JAVA_VERSION=\"%s\"\n".formatted(version));
    return jdk;
  }

  private static void script(Path file, String text) throws IOException {
    Files.createDirectories(file.getParent());
    Files.writeString(file, text);
    assertThat(file.toFile().setExecutable(true)).isTrue();
  }

  private long builds() throws IOException {
    Path count = home.resolve("builds");
    return Files.exists(count) ? Files.readAllLines(count).size() : 0;
  }

  private Run dpo4j(String... arguments) throws Exception {
    List<String> command = new ArrayList<>(List.of(home.resolve("dpo4j").toString()));
    command.addAll(Arrays.asList(arguments));
    return start(folder, command).await();
  }

  private Started start(Path where, List<String> command) throws IOException {
    Path out = Files.createTempFile(folder, "out", "");
    Path err = Files.createTempFile(folder, "err", "");
    ProcessBuilder builder =
        new ProcessBuilder(command)
            .directory(where.toFile())
            .redirectOutput(out.toFile())
            .redirectError(err.toFile());
    builder
        .environment()
        .keySet()
        .removeAll(List.of("OMP_WAIT_POLICY", "DPO4J_JAVA_OPTS", "LANG", "LC_ALL", "LC_CTYPE"));
    builder.environment().putAll(environment);
    return new Started(builder.start(), out, err);
  }

  private record Started(Process process, Path out, Path err) {
    Run await() throws Exception {
      int code = process.waitFor();
      return new Run(
          code,
          Files.readString(out, StandardCharsets.UTF_8),
          Files.readString(err, StandardCharsets.UTF_8));
    }
  }

  private record Run(int code, String out, String err) {}
}
