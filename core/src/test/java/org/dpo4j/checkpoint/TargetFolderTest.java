package org.dpo4j.checkpoint;

import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.dpo4j.UsageException;
import org.dpo4j.checkpoint.OutputFolder.Existing;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Closes: a run that removes the folder that its shell is in. */
class TargetFolderTest {
  private final Path target;

  TargetFolderTest(@TempDir Path dir) throws IOException {
    target = dir.toRealPath().resolve("out");
  }

  @BeforeEach
  void anEarlierRun() throws IOException {
    Files.createDirectories(target.resolve("checkpoint-5"));
    Files.writeString(target.resolve("dpo4j.yaml"), "");
  }

  @Test
  void aFolderBelowWhichTheProcessWorksIsNotReplaced() {
    assertThatThrownBy(() -> overwriteFrom(target.resolve("checkpoint-5")))
        .isInstanceOf(UsageException.class)
        .hasMessageContaining("must not remove the working directory")
        .hasMessageContaining(target + " holds it");
  }

  /** Its files are replaced and the folder itself stays. */
  @Test
  void theWorkingDirectoryItselfMayBeReplacedAndAnyOtherToo() {
    assertThatCode(() -> overwriteFrom(target)).doesNotThrowAnyException();
    assertThatCode(() -> overwriteFrom(Path.of(""))).doesNotThrowAnyException();
    assertThatCode(() -> overwriteFrom(target.resolveSibling("out-2"))).doesNotThrowAnyException();
  }

  private void overwriteFrom(Path workingDirectory) {
    TargetFolder.check(target, List.of())
        .checkContent(target, Existing.OVERWRITE, workingDirectory);
  }
}
