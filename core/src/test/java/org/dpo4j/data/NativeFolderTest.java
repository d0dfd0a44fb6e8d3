package org.dpo4j.data;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.stream.Stream;
import org.dpo4j.DpoException;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.DisabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.api.parallel.Isolated;

/**
 * Closes: code of another user of the machine that this process loads, because that user made the
 * folder first to which native libraries are unpacked, or can write to it.
 */
@DisabledOnOs(OS.WINDOWS)
@Isolated("changes where the folder for temporary files is")
class NativeFolderTest {
  private final String before = System.getProperty("java.io.tmpdir");
  private Path home;
  private Path temporary;

  @BeforeEach
  void makeFolders(@TempDir Path folder) throws IOException {
    home = Files.createDirectory(folder.resolve("home"));
    temporary = Files.createDirectory(folder.resolve("tmp"));
    System.setProperty("java.io.tmpdir", temporary.toString());
  }

  @AfterEach
  void restore() {
    System.setProperty("java.io.tmpdir", before);
  }

  @Test
  void theUsualFolderIsMadeForTheUserAlone() throws IOException {
    Path usual = home.resolve("new/.lib");

    assertThat(NativeFolder.of(usual)).isEqualTo(usual);
    assertThat(mode(usual)).isEqualTo("rwx------");
    assertThat(usual).isEmptyDirectory();
    assertThat(temporary).isEmptyDirectory();
  }

  @Test
  void aFolderOfTheUserIsUsedAsItIs() throws IOException {
    Path usual = folder(home.resolve(".lib"), "rwxr-xr-x");

    assertThat(NativeFolder.of(usual)).isEqualTo(usual);
    assertThat(mode(usual)).isEqualTo("rwxr-xr-x");
  }

  @Test
  void aLinkOfTheUserToAnotherDiskIsFollowed() throws IOException {
    Path usual =
        Files.createSymbolicLink(
            home.resolve(".lib"), folder(home.resolve("elsewhere"), "rwxr-xr-x"));

    assertThat(NativeFolder.of(usual)).isEqualTo(usual);
  }

  @Test
  void aLinkToAFolderOfAllIsNotUsed() throws IOException {
    Path usual =
        Files.createSymbolicLink(
            home.resolve(".lib"), folder(home.resolve("elsewhere"), "rwxrwxrwx"));

    assertStandsIn(NativeFolder.of(usual));
  }

  @Test
  void aFolderToWhichOthersCanWriteIsNotUsed() throws IOException {
    assertStandsIn(NativeFolder.of(folder(home.resolve(".lib"), "rwxr-xrwx")));
  }

  @Test
  void aFolderOfAnotherUserIsNotUsed() throws IOException {
    Path usual = folder(home.resolve(".lib"), "rwxr-xr-x");
    assumeTrue(give(usual), "only root can give a folder to another user");

    assertStandsIn(NativeFolder.of(usual));
  }

  @Test
  void aFolderThatOthersCanReplaceIsNotUsed() throws IOException {
    Path usual = folder(home.resolve("open/.lib"), "rwx------");
    Files.setPosixFilePermissions(
        home.resolve("open"), PosixFilePermissions.fromString("rwxrwxrwx"));

    assertStandsIn(NativeFolder.of(usual));

    Files.setAttribute(home.resolve("open"), "unix:mode", 01777); // as /tmp has
    assertThat(NativeFolder.of(usual)).isEqualTo(usual);
  }

  @Test
  void theSecondTimeTheSameFolderStandsIn() throws IOException {
    Path blocked = Files.writeString(home.resolve("file"), "").resolve(".lib");
    Path first = NativeFolder.of(blocked);
    Files.writeString(first.resolve("library"), "code");

    assertThat(NativeFolder.of(blocked)).isEqualTo(first);
    assertThat(first.resolve("library")).hasContent("code");
  }

  @Test
  void aPathThatIsNotAbsoluteIsNotMade() throws IOException {
    assertStandsIn(NativeFolder.of(Path.of("?", ".lib")));
    assertThat(Path.of("?")).doesNotExist();
  }

  @Test
  void aStandInThatAnotherUserCanWriteToIsRefused() throws IOException {
    Path blocked = Files.writeString(home.resolve("file"), "").resolve(".lib");
    Path standIn = standIn();
    NativeFolder.of(blocked);
    Files.setPosixFilePermissions(standIn, PosixFilePermissions.fromString("rwxrwxrwx"));

    assertThatThrownBy(() -> NativeFolder.of(blocked))
        .isExactlyInstanceOf(DpoException.class)
        .hasMessage(
            "native libraries must be unpacked into a folder to which you alone can write, but [%s]"
                + " cannot be written to, and [%s] can be written to by others; set HOME, or in a"
                + " Java program the property user.home, to a folder of yours that takes files and"
                + " lets programs run",
            blocked, standIn);
  }

  @Test
  void aStandInOfAnotherUserIsRefused() throws IOException {
    Path blocked = Files.writeString(home.resolve("file"), "").resolve(".lib");
    Path standIn = standIn();
    NativeFolder.of(blocked);
    assumeTrue(give(standIn), "only root can give a folder to another user");

    assertThatThrownBy(() -> NativeFolder.of(blocked))
        .isExactlyInstanceOf(DpoException.class)
        .hasMessageContaining("[%s] belongs to %s", standIn, Files.getOwner(standIn).getName());
  }

  private Path standIn() throws IOException {
    return temporary.resolve("dpo4j-" + Files.getOwner(home).getName());
  }

  private void assertStandsIn(Path used) throws IOException {
    assertThat(used).isEqualTo(standIn().resolve(".lib"));
    assertThat(mode(standIn())).isEqualTo("rwx------");
    try (Stream<Path> files = Files.list(temporary)) {
      assertThat(files).containsExactly(standIn());
    }
  }

  private static boolean give(Path folder) {
    try {
      Files.setAttribute(folder, "unix:uid", 65_534);
      return true;
    } catch (IOException e) {
      return false;
    }
  }

  private static Path folder(Path path, String mode) throws IOException {
    return Files.setPosixFilePermissions(
        Files.createDirectories(path), PosixFilePermissions.fromString(mode));
  }

  private static String mode(Path path) throws IOException {
    return PosixFilePermissions.toString(Files.getPosixFilePermissions(path));
  }
}
