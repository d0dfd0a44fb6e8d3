package org.dpo4j.torch;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Map;
import java.util.Optional;
import org.dpo4j.UsageException;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;

/**
 * Closes: a crash in native code because {@code DPO4J_TORCH_LIB} names a libtorch of another
 * version, and a message that does not say which library is missing.
 */
class TorchFolderTest {

  private final Path temp;

  TorchFolderTest(@TempDir Path temp) {
    this.temp = temp;
  }

  @Test
  void aWheelIsTakenByTheVersionInItsPackage() throws IOException {
    for (String version : new String[] {"2.10.0", "2.10.0+cu128", "2.11.0+cu130", "2.11.1+cpu"}) {
      assertThatCode(wheel(version)::checked).as(version).doesNotThrowAnyException();
    }
    for (String version : new String[] {"2.9.1", "2.12.0", "2.1.0", "3.10.0"}) {
      assertThatThrownBy(wheel(version)::checked)
          .as(version)
          .isInstanceOf(UsageException.class)
          .hasMessageContaining("DPO4J_TORCH_LIB must be the folder lib of PyTorch")
          .hasMessageContaining("is of version " + version);
    }
  }

  @Test
  void anUnpackedLibtorchTellsItsVersionInAFile() throws IOException {
    TorchFolder folder = folder();
    assertThatThrownBy(folder::checked).hasMessageContaining("does not tell its version");
    Files.writeString(temp.resolve("build-version"), "2.10.0+cu128\n");
    assertThatCode(folder::checked).doesNotThrowAnyException();
    Files.writeString(temp.resolve("build-version"), "2.7.0\n");
    assertThatThrownBy(folder::checked).hasMessageContaining("is of version 2.7.0");
  }

  @Test
  void aFolderWithoutALibraryIsRefusedByTheLibrarysName() throws IOException {
    TorchFolder folder = wheel("2.10.0");
    Path library = folder.path().resolve(System.mapLibraryName("torch_cpu"));
    Files.delete(library);
    assertThatThrownBy(folder::checked).hasMessageContaining(library + " is not there");
  }

  @Test
  void aMissingLibraryOfCudaIsNamedWithTheCommandThatBringsIt() {
    UnsatisfiedLinkError error =
        new UnsatisfiedLinkError(
            "/opt/torch/lib/libtorch_cuda.so: libcudart.so.12: cannot open shared object file: No"
                + " such file or directory");
    assertThat(TorchFolder.lacks(Optional.of(new TorchFolder(Path.of("/opt/torch/lib"))), error))
        .get()
        .asString()
        .startsWith("libtorch from /opt/torch/lib needs libcudart.so.12, which was not found")
        .contains("pip install torch==2.10.0");
    UnsatisfiedLinkError other =
        new UnsatisfiedLinkError("libgomp.so.1: cannot open shared object file: No such file");
    assertThat(TorchFolder.lacks(Optional.empty(), other))
        .get()
        .asString()
        .contains("libtorch from the class path needs libgomp.so.1", "install the package");
    assertThat(TorchFolder.lacks(Optional.empty(), new UnsatisfiedLinkError("no jnitorch")))
        .isEmpty();
  }

  @Test
  @EnabledOnOs(OS.LINUX)
  void aLibraryThatIsCutOffOrForAnotherProcessorIsRefused() throws IOException {
    TorchFolder folder = wheel("2.10.0");
    Path library = folder.path().resolve(System.mapLibraryName("torch"));
    Map<String, byte[]> damaged =
        Map.of(
            "text",
                "a text that is longer than the header of a library, which has 64 bytes"
                    .getBytes(StandardCharsets.UTF_8),
            "empty", new byte[0],
            "half a header", Arrays.copyOf(library().array(), 32),
            "no sections", Arrays.copyOf(library().putLong(40, 0).array(), 64),
            "cut off", library().putLong(40, 65).array(),
            "another processor", library().putShort(18, (short) 3).array());
    for (Map.Entry<String, byte[]> file : damaged.entrySet()) {
      Files.write(library, file.getValue());
      assertThatThrownBy(folder::checked)
          .as(file.getKey())
          .isInstanceOf(UsageException.class)
          .hasMessageContaining(library + " is damaged, or a library of another kind");
    }
    Files.write(library, library().array());
    assertThatCode(folder::checked).doesNotThrowAnyException();
  }

  /** The header of a library for this processor, with a table of no sections behind it. */
  private static ByteBuffer library() {
    boolean arm = System.getProperty("os.arch").equals("aarch64");
    return ByteBuffer.allocate(64)
        .order(ByteOrder.LITTLE_ENDIAN)
        .put(0, new byte[] {0x7f, 'E', 'L', 'F', 2})
        .putShort(18, (short) (arm ? 183 : 62))
        .putLong(40, 64);
  }

  private TorchFolder wheel(String version) throws IOException {
    Files.writeString(
        temp.resolve("version.py"),
        "from typing import Optional\n__version__ = '%s'\ndebug = False\n".formatted(version));
    return folder();
  }

  private TorchFolder folder() throws IOException {
    Path lib = Files.createDirectories(temp.resolve("lib"));
    for (String library : new String[] {"c10", "torch_cpu", "torch"}) {
      Path file = lib.resolve(System.mapLibraryName(library));
      if (!Files.exists(file)) {
        Files.write(file, library().array());
      }
    }
    return new TorchFolder(lib);
  }
}
